import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskSetup } from '../../test/fakes/task-setup.js';

const hour = 3_600_000;

describe('a clock that was set back by an hour', () => {
  let setup: TaskSetup;

  beforeEach(() => {
    setup = new TaskSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function set(byMs: number): void {
    const before = setup.clockJumps.check();
    setup.clock.advance(byMs);
    expect(setup.clockJumps.check()).toBe(before + 1);
  }

  async function setBack(): Promise<void> {
    set(-hour);
    // Due work is checked.
    await setup.pass();
  }

  function dueIn(kind: 'deliver' | 'stuck' | 'prune'): number | undefined {
    const due = setup.store.dueItems.find(setup.session.id, kind);
    return due === undefined ? undefined : Date.parse(due.dueAt) - setup.clock.now();
  }

  it('lets no retry of a message wait for that hour', async () => {
    await setup.post(setup.session, 'm-1');
    setup.runner.claim('m-1');
    await setup.pass('ended');
    expect(setup.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    await setBack();
    expect(setup.describe()).toEqual({ 'm-1': 'pending 1 +0' });
    expect(setup.wakesIn()).toBe(0);
    // A wait that is as long as it should be is left alone.
    setup.runner.claimTry(1, 'm-1');
    await setup.pass('ended');
    await setup.pass();
    expect(setup.describe()).toEqual({ 'm-1': 'pending 2 +2000' });
  });

  it('keeps what is planned at its time of day', async () => {
    await setup.plan(60_000, { recurrence: '0 * * * *' });
    await setBack();
    expect(setup.runs()).toEqual(['2026-01-31T12:01 pending']);
    expect(setup.wakesIn()).toBe(hour + 60_000);
  });

  it('plans anew what a clock that was far ahead has planned, and takes nothing for used in the future', async () => {
    const day = 24 * hour;
    await setup.plan(60_000, { recurrence: '0 12 * * *' });
    setup.clock.advance(400 * day);
    setup.runner.complete(setup.nextRunId);
    await setup.pass();
    const item = { sessionId: setup.session.id, kind: 'prune', attempts: 0 } as const;
    setup.store.dueItems.set({ ...item, dueAt: setup.clock.iso(7 * day) });
    set(-400 * day);
    await setup.pass();
    expect(dueIn('prune')).toBe(0);
    expect(setup.store.sessions.find(setup.session.id)?.lastActive).toBe(setup.clock.iso());
    expect(setup.runs()).toEqual([
      '2026-01-31T12:01 completed',
      expect.stringMatching(/^2027-.* cancelled$/),
      '2026-02-01T11:00 pending',
    ]);
    expect(setup.notices()).toEqual([]);
    expect(setup.store.tasks.list()).toMatchObject([{ dueAt: '2026-02-01T11:00:00.000Z' }]);
  });

  it('lets neither a reply nor a notice wait longer than it should', async () => {
    const retry = { sessionId: setup.session.id, messageOutId: 'o-1', attempts: 1, reason: '' };
    setup.store.deliveryRetries.set({ ...retry, dueAt: setup.clock.iso(5_000), maybeSent: false });
    const address = { channelType: 'fake', platformId: 'chat-1', threadId: null };
    const notice = { id: 'n-1', address, inReplyTo: null, text: 'sorry' };
    setup.store.notices.insert(notice, setup.clock.iso(7_000));
    const item = { sessionId: setup.session.id, kind: 'deliver', attempts: 0 } as const;
    setup.store.dueItems.set({ ...item, dueAt: setup.clock.iso(5_000) });
    await setBack();
    expect(dueIn('deliver')).toBe(0);
    expect(setup.store.deliveryRetries.list(setup.session.id).get('o-1')?.dueAt).toBe(
      setup.clock.iso(5_000),
    );
    expect(setup.store.notices.listDue(setup.clock.iso(6_999), 'fake')).toEqual([]);
    expect(setup.store.notices.listDue(setup.clock.iso(7_000), 'fake')).toHaveLength(1);
  });

  it('has containers checked now that were to be checked then, and starts tried that were put off', async () => {
    const { id: sessionId } = setup.session;
    const dueAt = setup.clock.iso(20_000);
    setup.store.dueItems.set({ sessionId, kind: 'stuck', dueAt, attempts: 0 });
    await setup.post(setup.session, 'm-1');
    setup.store.dueItems.set({ sessionId, kind: 'wake', dueAt, attempts: 3 });
    set(-hour);
    expect(dueIn('stuck')).toBe(0);
    expect(setup.wakesIn()).toBe(0);
    expect(setup.store.dueItems.find(sessionId, 'wake')?.attempts).toBe(3);
    expect(dueIn('prune')).toBeGreaterThan(hour);
  });
});

describe('jumps of the clock', () => {
  let setup: TaskSetup;

  beforeEach(() => {
    setup = new TaskSetup();
    setup.clockJumps.check();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function warnings(): readonly string[] {
    return setup.logLines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  }

  it.each([
    ['goes on evenly', 3 * hour, 3 * hour, 0, false],
    ['is corrected a little', 499, 0, 0, false],
    ['goes ahead by an hour', hour, 0, 1, false],
    ['goes ahead by more', hour + 1, 0, 1, true],
    ['goes back', -2 * hour, 0, 1, false],
  ])('are told from time that passes: it %s', (_name, clockMs, uptimeMs, count, isInDoubt) => {
    setup.clock.advance(clockMs);
    setup.uptimeMs += uptimeMs;
    expect(setup.clockJumps.check()).toBe(count);
    expect(setup.clockJumps.isInDoubt()).toBe(isInDoubt);
    expect(setup.clockJumps.isReplanning).toBe(clockMs < -500);
  });

  it('are found by the one who is about to take something away, and are in doubt for a day', () => {
    setup.clock.advance(48 * hour);
    expect(setup.clockJumps.isInDoubt()).toBe(true);
    setup.clock.advance(24 * hour - 1);
    setup.uptimeMs += 24 * hour - 1;
    expect(setup.clockJumps.isInDoubt()).toBe(true);
    setup.clock.advance(1);
    setup.uptimeMs += 1;
    expect(setup.clockJumps.isInDoubt()).toBe(false);
    expect(setup.clockJumps.check()).toBe(1);
  });

  it('back have tasks planned anew for an hour', () => {
    setup.clock.advance(-48 * hour);
    setup.clockJumps.check();
    setup.clock.advance(hour - 1);
    expect(setup.clockJumps.isReplanning).toBe(true);
    setup.clock.advance(1);
    expect(setup.clockJumps.isReplanning).toBe(false);
  });

  it('that could not be dealt with on a full disk are tried again, once the disk has room', () => {
    const notice = {
      ...{ id: 'n-1', inReplyTo: null, text: 'sorry' },
      address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
    };
    setup.store.notices.insert(notice, setup.clock.iso(7_000));
    setup.central((db) => {
      db.exec(`CREATE TRIGGER full BEFORE UPDATE ON notices
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    setup.clock.advance(-hour);
    expect(setup.clockJumps.check()).toBe(0);
    expect(warnings().at(-1)).toBe('waits could not be adjusted to the clock');
    setup.central((db) => db.exec('DROP TRIGGER full'));
    expect(setup.clockJumps.check()).toBe(1);
    expect(setup.store.notices.listDue(setup.clock.iso(7_000), 'fake')).toHaveLength(1);
    expect(setup.clockJumps.check()).toBe(1);
  });

  it.each([
    ['a moment', -1_000, false, false],
    ['six days', 6 * 24 * hour, false, false],
    ['more than a week', 8 * 24 * hour, true, false],
    ['less than nothing', -2 * hour, false, true],
  ])(
    'while no daemon ran are seen by the time of the last: %s',
    (_name, awayMs, isInDoubt, isBack) => {
      setup.clockJumps.noteLastTime(setup.clock.iso(-awayMs));
      expect(setup.clockJumps.isInDoubt()).toBe(isInDoubt);
      expect(setup.clockJumps.isReplanning).toBe(isBack);
      expect(setup.clockJumps.check()).toBe(0);
    },
  );
});
