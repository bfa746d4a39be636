import { utimesSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inboundDbPath, outboundDbPath } from '../../shared/protocol/workspace.js';
import { TaskSetup } from '../../test/fakes/task-setup.js';
import { until } from '../../test/fakes/waiting.js';
import type { Session } from '../store/sessions.js';
import { SafetyScan } from './safety-scan.js';
import { TaskCheck } from './task-check.js';
import { setStatus } from '../../test/fakes/session-rows.js';

const hour = 3_600_000;

describe('the safety scan', () => {
  let setup: TaskSetup;
  let scan: SafetyScan;
  /** Due times that were written. */
  let planned: number;

  beforeEach(() => {
    setup = new TaskSetup();
    planned = 0;
    setup.store.dueItems.watch(() => (planned += 1));
    scan = build();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function build(roundMs = 6 * hour): SafetyScan {
    return new SafetyScan({
      store: setup.store,
      mailbox: setup.mailbox,
      folders: setup.folders,
      taskCheck: new TaskCheck({
        store: setup.store,
        mailbox: setup.mailbox,
        clock: setup.clock,
        restore: (id) => setup.handler.restore(id),
      }),
      clock: setup.clock,
      log: setup.log,
      roundMs,
      onRound: () => setup.handler.moveStranded(),
    });
  }

  /** Returns what the scan has logged as an error. */
  function found(): readonly string[] {
    return setup.logLines
      .map((line) => JSON.parse(line) as { level: number | string; finding?: string; msg: string })
      .flatMap(({ msg, finding }) =>
        msg === 'safety scan found what the index did not name' ? [finding ?? ''] : [],
      );
  }

  function deliversIn(session: Session = setup.session): number | undefined {
    const due = setup.store.dueItems.find(session.id, 'deliver');
    return due === undefined ? undefined : Date.parse(due.dueAt) - setup.clock.now();
  }

  it('finds nothing where the index names all that waits', async () => {
    await setup.post(setup.session, 'm-1');
    await setup.plan(hour, { recurrence: '0 * * * *' });
    setup.runner.say('wait');
    setup.store.dueItems.advance(setup.session.id, 'deliver', setup.clock.iso(5_000));
    planned = 0;
    await scan.checkNext();
    expect(found()).toEqual([]);
    expect(planned).toBe(0);
    expect(deliversIn()).toBe(5_000);
  });

  it('finds a message that no pass would ever read, and has it read', async () => {
    await setup.post(setup.session, 'm-1');
    setup.store.dueItems.clear(setup.session.id, 'wake');
    planned = 0;
    await scan.checkNext();
    expect(found()).toEqual(['a message that waits']);
    expect(deliversIn()).toBe(0);
    expect(planned).toBe(1);
    // The pass that follows plans what it finds.
    await setup.pass();
    expect(setup.wakesIn()).toBe(0);
  });

  it('finds a message that would be read too late', async () => {
    await setup.post(setup.session, 'm-1');
    const wake = { sessionId: setup.session.id, kind: 'wake', attempts: 0 } as const;
    setup.store.dueItems.set({ ...wake, dueAt: setup.clock.iso(hour) });
    await scan.checkNext();
    expect(found()).toEqual(['a message that waits']);
  });

  it('leaves a start alone that is being put off', async () => {
    await setup.post(setup.session, 'm-1');
    const dueAt = setup.clock.iso(hour);
    setup.store.dueItems.set({ sessionId: setup.session.id, kind: 'wake', dueAt, attempts: 2 });
    await scan.checkNext();
    expect(found()).toEqual([]);
  });

  it.each([
    ['never begun', undefined],
    ['begun, and its outcome is not known', 'sending'],
  ] as const)('finds a reply whose sending was %s', async (_, status) => {
    setup.runner.sayAll(['sent', 'unsent']);
    const outcome = { platformMessageId: null } as const;
    const records = [
      { messageOutId: 'sent', status: 'delivered' as const, ...outcome },
      ...(status === undefined ? [] : [{ messageOutId: 'unsent', status, ...outcome }]),
    ];
    await setup.mailbox.inbound(setup.session.id, 'recordDeliveries', records, [], 0);
    await scan.checkNext();
    expect(found()).toEqual(['a reply that waits']);
    expect(deliversIn()).toBe(0);
  });

  it('finds the one reply among many', async () => {
    const texts = Array.from({ length: 450 }, (_, i) => `reply ${i}`);
    setup.runner.sayAll(texts);
    const sent = texts.filter((text) => text !== 'reply 440');
    const outcome = { status: 'delivered', platformMessageId: null } as const;
    const records = sent.map((messageOutId) => ({ messageOutId, ...outcome }));
    await setup.mailbox.inbound(setup.session.id, 'recordDeliveries', records, [], 0);
    await scan.checkNext();
    expect(found()).toEqual(['a reply that waits']);
  });

  it('knows that a reply may wait for somebody to listen', async () => {
    setup.runner.say('unheard');
    setup.store.awaitedListeners.add(setup.session.id, 'fake', 'chat-1');
    await scan.checkNext();
    expect(found()).toEqual([]);
  });

  it('leaves alone what has a container, and what has ended', async () => {
    await setup.post(setup.session, 'm-1');
    setup.store.dueItems.clear(setup.session.id, 'wake');
    setup.store.sessions.setContainerStatus(setup.session.id, 'running');
    await scan.checkNext();
    setup.store.sessions.setContainerStatus(setup.session.id, 'stopped');
    setStatus(setup.store, setup.session.id, 'closed', 'closed');
    await scan.checkNext();
    await scan.checkNext();
    expect(found()).toEqual([]);
  });

  it('leaves files alone that are being written', async () => {
    await setup.post(setup.session, 'm-1');
    setup.store.dueItems.clear(setup.session.id, 'wake');
    const path = inboundDbPath(setup.folders.inDir(setup.session.id));
    const now = new Date(setup.clock.now());
    utimesSync(path, now, now);
    await scan.checkNext();
    expect(found()).toEqual([]);
    setup.clock.advance(60_000);
    await scan.checkNext();
    await scan.checkNext();
    expect(found()).toEqual(['a message that waits']);
  });

  it('leaves a session alone that nobody has written to', async () => {
    const empty = setup.addSession({ threadId: 't-1' });
    await scan.checkNext();
    await scan.checkNext();
    expect(found()).toEqual([]);
    expect(deliversIn(empty)).toBeUndefined();
  });

  it('hands a damaged file over to those who deliver', async () => {
    writeFileSync(outboundDbPath(setup.folders.outDir(setup.session.id)), 'x'.repeat(10_000));
    await scan.checkNext();
    expect(found()).toEqual(['a damaged file']);
    expect(deliversIn()).toBe(0);
  });

  describe('of tasks', () => {
    beforeEach(async () => {
      await setup.plan(hour, { recurrence: '0 * * * *', timeZone: 'Asia/Tokyo' });
    });

    it('writes into the index what it has lost', async () => {
      const known = setup.store.tasks.list();
      setup.store.tasks.delete('t-1');
      await scan.checkNext();
      expect(found()).toEqual(['a planned task']);
      expect(setup.store.tasks.list()).toMatchObject([
        { ...known[0], createdAt: '2026-01-31T13:00:00.000Z' },
      ]);
    });

    it('brings the index up to the run that is next', async () => {
      await setup.run();
      const task = setup.store.tasks.find('t-1')!;
      setup.store.tasks.advance('t-1', 't-1-old', setup.clock.iso(-hour));
      await scan.checkNext();
      expect(found()).toEqual(['a planned task']);
      expect(setup.store.tasks.find('t-1')).toEqual(task);
    });

    it('takes off what has ended', async () => {
      const cancel = { taskId: 't-1', begunBefore: undefined, refusesBegun: false };
      await setup.mailbox.inbound(setup.session.id, 'cancelTask', cancel);
      await scan.checkNext();
      expect(found()).toEqual(['a task that has ended']);
      expect(setup.store.tasks.list()).toEqual([]);
    });

    it('writes a task again that is not in the file any more', async () => {
      setup.inbound(setup.session.id, (db) => {
        db.exec('DELETE FROM messages_in');
      });
      await scan.checkNext();
      expect(found()).toEqual(['a task that is not in the file any more']);
      expect(setup.runs()).toEqual(['2026-01-31T13:00 pending']);
    });

    it('does not take the last run of a cancelled series for a lost one', async () => {
      setup.clock.advance(hour);
      await setup.handler.cancel({ id: 't-1' });
      await scan.checkNext();
      expect(found()).toEqual([]);
      expect(setup.store.tasks.list()).toEqual([]);
    });
  });

  describe('of many sessions', () => {
    let others: readonly Session[];

    beforeEach(async () => {
      others = ['t-1', 't-2', 't-3'].map((threadId) => setup.addSession({ threadId }));
      for (const session of others) {
        await setup.post(session, `m-of-${session.id}`);
        setup.store.dueItems.clear(session.id, 'wake');
      }
    });

    it('goes round by round, one session at a time, and says when it has been through', async () => {
      for (let session = 0; session < 4; session += 1) await scan.checkNext();
      expect(found()).toHaveLength(3);
      for (const session of others) await setup.pass('running', session);
      for (let session = 0; session < 5; session += 1) await scan.checkNext();
      expect(found()).toHaveLength(3);
      expect(setup.logLines.join()).toContain('"found":3');
    });

    it('goes on after a restart where it was', async () => {
      await scan.checkNext();
      await scan.checkNext();
      scan = build();
      await scan.checkNext();
      expect(others.map(deliversIn)).toEqual([0, 0, undefined]);
    });

    it('is not kept from the others by one whose file cannot be reached', async () => {
      const path = inboundDbPath(setup.folders.inDir(others[0]!.id));
      writeFileSync(path, 'no database'.repeat(1_000));
      for (let session = 0; session < 4; session += 1) await scan.checkNext();
      expect(found()).toEqual(['a damaged file', 'a message that waits', 'a message that waits']);
    });

    it('runs by itself until it is stopped', async () => {
      scan = build(1);
      scan.start();
      await until(() => {
        expect(found()).toHaveLength(3);
      });
      await scan.stop();
    });
  });
});
