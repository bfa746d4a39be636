import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecoverySetup } from '../../test/fakes/recovery-setup.js';
import { setStatus } from '../../test/fakes/session-rows.js';

const later = '2030-01-01T00:00:00.000Z';

describe('a container that writes very many rows', () => {
  let setup: RecoverySetup;

  beforeEach(() => {
    setup = new RecoverySetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  /** Rows whose ids are r1 and so on. */
  function flood(count: number, content = '{"malformed":1}', from = 1): void {
    setup.outbound(setup.session.id, (db) => {
      db.exec(`WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${from + count - 1})
        INSERT INTO messages_out (id, seq, timestamp, kind, content)
        SELECT 'r' || i, 100 + i, '', 'chat', '${content}' FROM n`);
    });
  }

  function letters() {
    return setup.store.deadLetters.list({ sessionId: setup.session.id });
  }

  function rowCount(): unknown {
    return setup.outbound(setup.session.id, (db) =>
      db.prepare('SELECT count(*) FROM messages_out').pluck().get(),
    );
  }

  it('that are no messages is told of some of them, and of the others by their number', async () => {
    flood(1_000);
    await setup.deliver();
    expect(letters()).toHaveLength(21);
    expect(letters().map(({ reason }) => reason)).toContainEqual(
      expect.stringContaining('one of 980 that are not listed one by one'),
    );
    expect(Object.values(setup.deliveries(setup.session.id))).toHaveLength(1_000);
    const told = setup.messagesIn(setup.session.id).filter(({ status }) => status === 'context');
    expect(told).toHaveLength(21);

    flood(500, '{"malformed":2}', 1_001);
    await setup.deliver();
    expect(letters()).toHaveLength(21);
    expect(letters().some(({ reason }) => reason.includes('one of 1480'))).toBe(true);
    setup.runner.say('o-1');
    await setup.deliver();
    expect(setup.texts()).toEqual(['o-1']);
  });

  it('to where it may not write is told likewise, and its file is no damage', async () => {
    flood(2_000, '{"text":"hi"}');
    setup.outbound(setup.session.id, (db) => {
      db.exec(`UPDATE messages_out SET channel_type = 'fake', platform_id = 'stranger'`);
    });
    await setup.deliver();
    expect(letters()).toHaveLength(201);
    expect(setup.damaged).toEqual([]);
  });

  it('that fall due one after the other has them delivered together, in bounded time', async () => {
    const count = 500;
    flood(count, '{"text":"hi"}');
    setup.outbound(setup.session.id, (db) => {
      const update = db.prepare('UPDATE messages_out SET deliver_after = ? WHERE seq = ?');
      for (let i = 1; i <= count; i += 1) update.run(setup.clock.iso(i), 100 + i);
    });
    await setup.deliver();
    let passes = 0;
    for (; passes < 40 && setup.texts().length < count; passes += 1) {
      setup.clock.advance(setup.deliversIn() ?? 0);
      await setup.deliver();
    }
    expect(setup.texts()).toHaveLength(count);
    expect(passes).toBeLessThan(40);
  });

  it('that are no messages has its file replaced once: the fresh one holds what can be sent', async () => {
    setup.runner.say('before');
    await setup.deliver();
    flood(3_000);
    setup.runner.say('after');
    await setup.deliver();
    await setup.delivery.loop.drain();
    await setup.deliver();
    expect(setup.repairNames()).toEqual(['outbound.db replaced']);
    expect(setup.repairs()[0]?.detail).toContain('2980 rows that are no messages left out');
    expect(setup.texts()).toEqual(['before', 'after']);
    expect(rowCount()).toBe(22);
    expect(letters()).toHaveLength(21);
    expect(setup.store.sessions.find(setup.session.id)?.status).toBe('active');

    setup.rebuild();
    await setup.deliver();
    expect(setup.repairNames()).toEqual(['outbound.db replaced']);
    expect(letters()).toHaveLength(21);
  });

  it('is quarantined where it goes on and on', async () => {
    for (let round = 1; round <= 10; round += 1) {
      const createdAt = setup.clock.iso();
      const repair = { file: 'outbound.db', action: 'replaced', detail: 'It was full.' } as const;
      setup.store.repairs.settle(setup.session.id, { ...repair, createdAt });
    }
    flood(1_500);
    await setup.deliver();
    expect(setup.store.sessions.find(setup.session.id)?.status).toBe('set-aside');
    expect(letters()).toHaveLength(21);
  });

  it('does not keep the daemon from stopping: the pass ends after a page, and settles nothing', async () => {
    await setup.take('m-1');
    setup.runner.claim('m-1');
    flood(500, '{"text":"hi"}');
    setup.runner.complete('m-1');
    setup.delivery.loop.beginStop();
    await expect(setup.end()).rejects.toThrow('could not be dealt with');
    expect(setup.channel.sends).toHaveLength(100);
    expect(setup.describe()['m-1']).toBe('pending 0');
    expect(setup.deliversIn()).toBeDefined();

    setup.rebuild();
    await setup.end();
    expect(setup.channel.sends).toHaveLength(500);
    expect(setup.describe()['m-1']).toBe('completed 0');
  });

  it('is not read to the end once its session is closed, but what was said before is sent', async () => {
    setup.runner.sayAll(Array.from({ length: 150 }, (_, index) => `o-${index}`));
    flood(5_000, '{"malformed":1}', 1_000);
    setStatus(setup.store, setup.session.id, 'closed', 'enough');
    await setup.end();
    expect(setup.channel.sends).toHaveLength(150);
    expect(Object.keys(setup.deliveries(setup.session.id)).length).toBeLessThan(500);
  });

  describe('for later', () => {
    beforeEach(async () => {
      flood(1_000, '{"text":"later"}');
      setup.outbound(setup.session.id, (db) => {
        db.exec(`UPDATE messages_out SET deliver_after = '${later}'`);
        db.exec(`UPDATE messages_out SET deliver_after = '2029-01-01T00:00:00Z' WHERE id = 'r500'`);
      });
      await setup.deliver();
    });

    it('has them read once: the next passes begin after them', async () => {
      const reads: number[] = [];
      const readPage = setup.mailbox.readPage.bind(setup.mailbox);
      setup.mailbox.readPage = (id, request) => {
        reads.push(request.after);
        return readPage(id, request);
      };
      setup.runner.say('now');
      await setup.deliver();
      await setup.deliver();
      expect(reads).toEqual([1_100, 1_101]);
      expect(setup.texts()).toEqual(['now']);
      expect(setup.store.dueItems.find(setup.session.id, 'deliver')?.dueAt).toBe(
        '2029-01-01T00:00:00.000Z',
      );
    });

    it('has each sent when its time comes', async () => {
      setup.clock.advance(Date.parse('2029-06-01') - setup.clock.now());
      await setup.deliver();
      expect(setup.channel.sends.map(({ messageId }) => messageId)).toEqual(['r500']);
      setup.clock.advance(Date.parse(later) - setup.clock.now());
      await setup.deliver();
      expect(setup.channel.sends).toHaveLength(1_000);
      expect(setup.deliversIn()).toBeUndefined();
    });

    it('has one that is retried sent, wherever it stands', async () => {
      setup.channel.willAnswer({ kind: 'failed', reason: 'no', retryable: false });
      setup.outbound(setup.session.id, (db) => {
        db.exec(`UPDATE messages_out SET deliver_after = NULL WHERE id = 'r400'`);
      });
      setup.rebuild();
      await setup.deliver();
      expect(Object.keys(setup.outDeadLetters())).toEqual(['r400']);
      setup.runner.say('now');
      await setup.deliver();
      const letter = { sessionId: setup.session.id, direction: 'out', messageId: 'r400' } as const;
      await setup.delivery.deadLetters.retry([letter]);
      await setup.delivery.loop.drain();
      expect(setup.channel.sent.map(({ messageId }) => messageId)).toEqual(['now', 'r400']);
    });
  });
});
