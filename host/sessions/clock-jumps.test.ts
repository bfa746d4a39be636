import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskRoom } from '../../test/fakes/task-room.js';

const hour = 3_600_000;

describe('a clock that was set back by an hour', () => {
  let room: TaskRoom;

  beforeEach(() => {
    room = new TaskRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function set(byMs: number): void {
    const before = room.clockJumps.check();
    room.clock.advance(byMs);
    expect(room.clockJumps.check()).toBe(before + 1);
  }

  async function setBack(): Promise<void> {
    set(-hour);
    // Due work is checked.
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
    set(-400 * day);
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

  it('has containers checked now that were to be checked then, and starts tried that were put off', async () => {
    const { id: sessionId } = room.session;
    const dueAt = room.clock.iso(20_000);
    room.store.dueItems.set({ sessionId, kind: 'stuck', dueAt, attempts: 0 });
    await room.post(room.session, 'm-1');
    room.store.dueItems.set({ sessionId, kind: 'wake', dueAt, attempts: 3 });
    set(-hour);
    expect(dueIn('stuck')).toBe(0);
    expect(room.wakesIn()).toBe(0);
    expect(room.store.dueItems.find(sessionId, 'wake')?.attempts).toBe(3);
    expect(dueIn('prune')).toBeGreaterThan(hour);
  });
});

describe('jumps of the clock', () => {
  let room: TaskRoom;

  beforeEach(() => {
    room = new TaskRoom();
    room.clockJumps.check();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function warnings(): readonly string[] {
    return room.logLines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  }

  it.each([
    ['goes on evenly', 3 * hour, 3 * hour, 0, false],
    ['is corrected a little', 499, 0, 0, false],
    ['goes ahead by an hour', hour, 0, 1, false],
    ['goes ahead by more', hour + 1, 0, 1, true],
    ['goes back', -2 * hour, 0, 1, false],
  ])('are told from time that passes: it %s', (_name, clockMs, uptimeMs, count, isInDoubt) => {
    room.clock.advance(clockMs);
    room.uptimeMs += uptimeMs;
    expect(room.clockJumps.check()).toBe(count);
    expect(room.clockJumps.isInDoubt()).toBe(isInDoubt);
    expect(room.clockJumps.isReplanning).toBe(clockMs < -500);
  });

  it('are found by the one who is about to take something away, and are in doubt for a day', () => {
    room.clock.advance(48 * hour);
    expect(room.clockJumps.isInDoubt()).toBe(true);
    room.clock.advance(24 * hour - 1);
    room.uptimeMs += 24 * hour - 1;
    expect(room.clockJumps.isInDoubt()).toBe(true);
    room.clock.advance(1);
    room.uptimeMs += 1;
    expect(room.clockJumps.isInDoubt()).toBe(false);
    expect(room.clockJumps.check()).toBe(1);
  });

  it('back have tasks planned anew for an hour', () => {
    room.clock.advance(-48 * hour);
    room.clockJumps.check();
    room.clock.advance(hour - 1);
    expect(room.clockJumps.isReplanning).toBe(true);
    room.clock.advance(1);
    expect(room.clockJumps.isReplanning).toBe(false);
  });

  it('that could not be dealt with on a full disk are tried again, once the disk has room', () => {
    const notice = {
      ...{ id: 'n-1', inReplyTo: null, text: 'sorry' },
      address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
    };
    room.store.notices.insert(notice, room.clock.iso(7_000));
    room.central((db) => {
      db.exec(`CREATE TRIGGER full BEFORE UPDATE ON notices
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    room.clock.advance(-hour);
    expect(room.clockJumps.check()).toBe(0);
    expect(warnings().at(-1)).toBe('waits could not be adjusted to the clock');
    room.central((db) => db.exec('DROP TRIGGER full'));
    expect(room.clockJumps.check()).toBe(1);
    expect(room.store.notices.listDue(room.clock.iso(7_000), 'fake')).toHaveLength(1);
    expect(room.clockJumps.check()).toBe(1);
  });

  it.each([
    ['a moment', -1_000, false, false],
    ['six days', 6 * 24 * hour, false, false],
    ['more than a week', 8 * 24 * hour, true, false],
    ['less than nothing', -2 * hour, false, true],
  ])(
    'while no daemon ran are seen by the time of the last: %s',
    (_name, awayMs, isInDoubt, isBack) => {
      room.clockJumps.noteLastTime(room.clock.iso(-awayMs));
      expect(room.clockJumps.isInDoubt()).toBe(isInDoubt);
      expect(room.clockJumps.isReplanning).toBe(isBack);
      expect(room.clockJumps.check()).toBe(0);
    },
  );
});
