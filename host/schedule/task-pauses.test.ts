import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskRoom } from '../../test/fakes/task-room.js';
import { TaskCheck } from './task-check.js';

const hour = 3_600_000;

describe('a task', () => {
  let room: TaskRoom;

  beforeEach(() => {
    room = new TaskRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  const series = { recurrence: '0 * * * *', timeZone: 'UTC' };

  async function check(): Promise<readonly string[]> {
    const { store, mailbox, clock } = room;
    const restore = (sessionId: string): Promise<void> => room.handler.restore(sessionId);
    return await new TaskCheck({ store, mailbox, clock, restore }).repair(room.session.id);
  }

  it.each([{}, series])('that is paused has no run, and stays on the list: %o', async (more) => {
    await room.plan(hour, more);
    const task = await room.handler.pause({ id: 't-1' });
    expect(task.pausedAt).toBe(room.clock.iso());
    expect(room.runs()).toEqual(['2026-01-31T13:00 cancelled']);
    expect(await check()).toEqual([]);
    expect(room.store.tasks.list()).toEqual([task]);
  });

  it('that is resumed runs at its next time from then on', async () => {
    await room.plan(hour, series);
    await room.handler.pause({ id: 't-1' });
    room.clock.advance(10 * hour);
    const task = await room.handler.resume({ id: 't-1' });
    expect(task).toMatchObject({ dueAt: '2026-01-31T23:00:00.000Z', pausedAt: null });
    expect(room.runs().at(-1)).toBe('2026-01-31T23:00 pending');
    expect(await check()).toEqual([]);
    await room.run();
    expect(room.runs().at(-1)).toBe('2026-02-01T00:00 pending');
  });

  it('that is paused and resumed again and again before its time runs once', async () => {
    await room.plan(hour, series);
    for (let i = 0; i < 3; i += 1) {
      await room.handler.pause({ id: 't-1' });
      await room.handler.resume({ id: 't-1' });
    }
    expect(room.runs().filter((run) => run.endsWith('pending'))).toEqual([
      '2026-01-31T13:00 pending',
    ]);
    await room.run();
    expect(room.runs().at(-1)).toBe('2026-01-31T14:00 pending');
  });

  it('that runs once and is resumed after its time runs then', async () => {
    await room.plan(hour);
    await room.handler.pause({ id: 't-1' });
    room.clock.advance(5 * hour);
    await room.handler.resume({ id: 't-1' });
    expect(room.runs().at(-1)).toBe('2026-01-31T17:00 pending');
    await room.run();
    expect(room.store.tasks.list()).toEqual([]);
  });

  it('whose run has begun is paused after it', async () => {
    const { messageId } = await room.plan(hour, series);
    room.clock.advance(hour);
    room.store.sessions.setContainerStatus(room.session.id, 'running');
    room.runner.claim(messageId);
    await room.handler.pause({ id: 't-1' });
    room.runner.complete(messageId);
    await room.look();
    expect(room.runs()).toEqual(['2026-01-31T13:00 completed']);
    expect(room.store.tasks.find('t-1')?.pausedAt).not.toBeNull();
    await room.handler.resume({ id: 't-1' });
    expect(room.runs().at(-1)).toBe('2026-01-31T14:00 pending');
  });

  it('that runs once and has begun is not paused', async () => {
    const { messageId } = await room.plan(hour);
    room.clock.advance(hour);
    room.store.sessions.setContainerStatus(room.session.id, 'running');
    room.runner.claim(messageId);
    await expect(room.handler.pause({ id: 't-1' })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    expect(room.store.tasks.find('t-1')?.pausedAt).toBeNull();
  });

  it.each(['planned', 'paused'])(
    'that is %s is run by hand besides, once for one request',
    async (how) => {
      await room.plan(hour, series);
      if (how === 'paused') await room.handler.pause({ id: 't-1' });
      const at = room.clock.iso();
      const { messageId } = await room.handler.run({ id: 't-1', at });
      await room.handler.run({ id: 't-1', at });
      expect(room.runs().filter((run) => run === '2026-01-31T12:00 pending')).toHaveLength(1);
      expect(room.wakesIn()).toBe(0);
      const before = room.store.tasks.find('t-1');
      room.clock.advance(200);
      room.runner.complete(messageId);
      await room.look();
      expect(room.store.tasks.find('t-1')).toEqual(before);
      expect(await check()).toEqual([]);
    },
  );

  it('that does not exist cannot be paused, resumed or run', async () => {
    const at = room.clock.iso();
    for (const ask of [
      room.handler.pause({ id: 't-9' }),
      room.handler.resume({ id: 't-9' }),
      room.handler.run({ id: 't-9', at }),
    ]) {
      await expect(ask).rejects.toMatchObject({ code: 'not_found' });
    }
  });
});
