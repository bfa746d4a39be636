import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskSetup } from '../../test/fakes/task-setup.js';
import { TaskCheck } from './task-check.js';

const hour = 3_600_000;

describe('a task', () => {
  let setup: TaskSetup;

  beforeEach(() => {
    setup = new TaskSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  const series = { recurrence: '0 * * * *', timeZone: 'UTC' };

  async function check(): Promise<readonly string[]> {
    const { store, mailbox, clock } = setup;
    const restore = (sessionId: string): Promise<void> => setup.handler.restore(sessionId);
    return await new TaskCheck({ store, mailbox, clock, restore }).repair(setup.session.id);
  }

  it.each([{}, series])('that is paused has no run, and stays on the list: %o', async (more) => {
    await setup.plan(hour, more);
    const task = await setup.handler.pause({ id: 't-1' });
    expect(task.pausedAt).toBe(setup.clock.iso());
    expect(setup.runs()).toEqual(['2026-01-31T13:00 cancelled']);
    expect(await check()).toEqual([]);
    expect(setup.store.tasks.list()).toEqual([task]);
  });

  it('that is resumed runs at its next time from then on', async () => {
    await setup.plan(hour, series);
    await setup.handler.pause({ id: 't-1' });
    setup.clock.advance(10 * hour);
    const task = await setup.handler.resume({ id: 't-1' });
    expect(task).toMatchObject({ dueAt: '2026-01-31T23:00:00.000Z', pausedAt: null });
    expect(setup.runs().at(-1)).toBe('2026-01-31T23:00 pending');
    expect(await check()).toEqual([]);
    await setup.run();
    expect(setup.runs().at(-1)).toBe('2026-02-01T00:00 pending');
  });

  it('that is paused and resumed again and again before its time runs once', async () => {
    await setup.plan(hour, series);
    for (let i = 0; i < 3; i += 1) {
      await setup.handler.pause({ id: 't-1' });
      await setup.handler.resume({ id: 't-1' });
    }
    expect(setup.runs().filter((run) => run.endsWith('pending'))).toEqual([
      '2026-01-31T13:00 pending',
    ]);
    await setup.run();
    expect(setup.runs().at(-1)).toBe('2026-01-31T14:00 pending');
  });

  it('that runs once and is resumed after its time runs then', async () => {
    await setup.plan(hour);
    await setup.handler.pause({ id: 't-1' });
    setup.clock.advance(5 * hour);
    await setup.handler.resume({ id: 't-1' });
    expect(setup.runs().at(-1)).toBe('2026-01-31T17:00 pending');
    await setup.run();
    expect(setup.store.tasks.list()).toEqual([]);
  });

  it('whose run has begun is paused after it', async () => {
    const { messageId } = await setup.plan(hour, series);
    setup.clock.advance(hour);
    setup.store.sessions.setContainerStatus(setup.session.id, 'running');
    setup.runner.claim(messageId);
    await setup.handler.pause({ id: 't-1' });
    setup.runner.complete(messageId);
    await setup.pass();
    expect(setup.runs()).toEqual(['2026-01-31T13:00 completed']);
    expect(setup.store.tasks.find('t-1')?.pausedAt).not.toBeNull();
    await setup.handler.resume({ id: 't-1' });
    expect(setup.runs().at(-1)).toBe('2026-01-31T14:00 pending');
  });

  it('that is paused and resumed while a run goes on keeps its next run, and its place on the list', async () => {
    const { messageId } = await setup.plan(hour, series);
    setup.clock.advance(hour);
    setup.store.sessions.setContainerStatus(setup.session.id, 'running');
    setup.runner.claim(messageId);
    await setup.handler.pause({ id: 't-1' });
    const { dueAt } = await setup.handler.resume({ id: 't-1' });
    setup.runner.complete(messageId);
    await setup.pass();
    expect(setup.store.tasks.list()).toMatchObject([{ id: 't-1', dueAt, pausedAt: null }]);
    expect(setup.runs().at(-1)).toBe('2026-01-31T14:00 pending');
  });

  it('whose pause was cut short by a crash does not go on when its run has ended', async () => {
    const { messageId } = await setup.plan(hour, series);
    setup.store.tasks.setPaused('t-1', setup.clock.iso());
    setup.clock.advance(hour);
    setup.runner.complete(messageId);
    await setup.pass();
    expect(setup.runs()).toEqual(['2026-01-31T13:00 completed']);
    expect(setup.store.tasks.find('t-1')?.pausedAt).not.toBeNull();
  });

  it('that runs once and has begun is not paused', async () => {
    const { messageId } = await setup.plan(hour);
    setup.clock.advance(hour);
    setup.store.sessions.setContainerStatus(setup.session.id, 'running');
    setup.runner.claim(messageId);
    await expect(setup.handler.pause({ id: 't-1' })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    expect(setup.store.tasks.find('t-1')?.pausedAt).toBeNull();
  });

  it.each(['planned', 'paused'])(
    'that is %s is run by hand besides, once for one request',
    async (how) => {
      await setup.plan(hour, series);
      if (how === 'paused') await setup.handler.pause({ id: 't-1' });
      const at = setup.clock.iso();
      const { messageId } = await setup.handler.run({ id: 't-1', at });
      await setup.handler.run({ id: 't-1', at });
      expect(setup.runs().filter((run) => run === '2026-01-31T12:00 pending')).toHaveLength(1);
      expect(setup.wakesIn()).toBe(0);
      const before = setup.store.tasks.find('t-1');
      setup.clock.advance(200);
      setup.runner.complete(messageId);
      await setup.pass();
      expect(setup.store.tasks.find('t-1')).toEqual(before);
      expect(await check()).toEqual([]);
    },
  );

  it('that does not exist cannot be paused, resumed or run', async () => {
    const at = setup.clock.iso();
    for (const ask of [
      setup.handler.pause({ id: 't-9' }),
      setup.handler.resume({ id: 't-9' }),
      setup.handler.run({ id: 't-9', at }),
    ]) {
      await expect(ask).rejects.toMatchObject({ code: 'not_found' });
    }
  });
});
