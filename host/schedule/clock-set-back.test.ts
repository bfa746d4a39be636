import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskRoom } from '../../test/fakes/task-room.js';
import { mendAfterSetBack } from './clock-set-back.js';

const hour = 3_600_000;

describe('a clock that was set back by an hour', () => {
  let room: TaskRoom;

  beforeEach(() => {
    room = new TaskRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  async function setBack(): Promise<void> {
    room.clock.advance(-hour);
    mendAfterSetBack(room.store, room.clock.now(), hour);
    // What is due is looked at.
    await room.look();
  }

  function dueIn(kind: 'deliver' | 'stuck' | 'prune'): number | undefined {
    const due = room.store.dueItems.find(room.session.id, kind);
    return due === undefined ? undefined : Date.parse(due.dueAt) - room.clock.now();
  }

  it('lets no retry of a message wait for that hour', async () => {
    await room.post(room.session, 'm-1');
    room.runner.claim('m-1');
    await room.look('ended');
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    await setBack();
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +0' });
    expect(room.wakesIn()).toBe(0);
    // A wait that is as long as it should be is left alone.
    room.runner.claimTry(1, 'm-1');
    await room.look('ended');
    await room.look();
    expect(room.describe()).toEqual({ 'm-1': 'pending 2 +2000' });
  });

  it('keeps what is planned at its time of day', async () => {
    await room.plan(60_000, { recurrence: '0 * * * *' });
    await setBack();
    expect(room.runs()).toEqual(['2026-01-31T12:01 pending']);
    expect(room.wakesIn()).toBe(hour + 60_000);
  });

  it('plans anew what a clock that was far ahead has planned, and takes nothing for used in the future', async () => {
    const day = 24 * hour;
    await room.plan(60_000, { recurrence: '0 12 * * *' });
    room.clock.advance(400 * day);
    room.runner.complete(room.nextRunId);
    await room.look();
    const item = { sessionId: room.session.id, kind: 'prune', attempts: 0 } as const;
    room.store.dueItems.set({ ...item, dueAt: room.clock.iso(7 * day) });
    room.clock.advance(-400 * day);
    room.settlement.noteSetBack();
    mendAfterSetBack(room.store, room.clock.now(), 400 * day);
    await room.look();
    expect(dueIn('prune')).toBe(0);
    expect(room.store.sessions.find(room.session.id)?.lastActive).toBe(room.clock.iso());
    expect(room.runs()).toEqual([
      '2026-01-31T12:01 completed',
      expect.stringMatching(/^2027-.* cancelled$/),
      '2026-02-01T11:00 pending',
    ]);
    expect(room.notices()).toEqual([]);
    expect(room.store.tasks.list()).toMatchObject([{ dueAt: '2026-02-01T11:00:00.000Z' }]);
  });

  it('lets neither a reply nor a notice wait longer than it should', async () => {
    const retry = { sessionId: room.session.id, messageOutId: 'o-1', attempts: 1, reason: '' };
    room.store.deliveryRetries.set({ ...retry, dueAt: room.clock.iso(5_000), maybeSent: false });
    const address = { channelType: 'fake', platformId: 'chat-1', threadId: null };
    const notice = { id: 'n-1', address, inReplyTo: null, text: 'sorry' };
    room.store.notices.insert(notice, room.clock.iso(7_000));
    const item = { sessionId: room.session.id, kind: 'deliver', attempts: 0 } as const;
    room.store.dueItems.set({ ...item, dueAt: room.clock.iso(5_000) });
    await setBack();
    expect(dueIn('deliver')).toBe(0);
    expect(room.store.deliveryRetries.list(room.session.id).get('o-1')?.dueAt).toBe(
      room.clock.iso(5_000),
    );
    expect(room.store.notices.listDue(room.clock.iso(6_999), 'fake')).toEqual([]);
    expect(room.store.notices.listDue(room.clock.iso(7_000), 'fake')).toHaveLength(1);
  });

  it('has containers looked at now that were to be looked at then, and starts tried that were put off', async () => {
    const { id: sessionId } = room.session;
    const dueAt = room.clock.iso(20_000);
    room.store.dueItems.set({ sessionId, kind: 'stuck', dueAt, attempts: 0 });
    await room.post(room.session, 'm-1');
    room.store.dueItems.set({ sessionId, kind: 'wake', dueAt, attempts: 3 });
    room.clock.advance(-hour);
    mendAfterSetBack(room.store, room.clock.now(), hour);
    expect(dueIn('stuck')).toBe(0);
    expect(room.wakesIn()).toBe(0);
    expect(room.store.dueItems.find(sessionId, 'wake')?.attempts).toBe(3);
    expect(dueIn('prune')).toBeGreaterThan(hour);
  });
});
