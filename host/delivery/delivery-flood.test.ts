import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecoveryRoom } from '../../test/fakes/recovery-room.js';

const later = '2030-01-01T00:00:00.000Z';

describe('a container that writes very many rows', () => {
  let room: RecoveryRoom;

  beforeEach(() => {
    room = new RecoveryRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  /** Rows whose ids are r1 and so on. */
  function flood(count: number, content = '{"malformed":1}', from = 1): void {
    room.outbound(room.session.id, (db) => {
      db.exec(`WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${from + count - 1})
        INSERT INTO messages_out (id, seq, timestamp, kind, content)
        SELECT 'r' || i, 100 + i, '', 'chat', '${content}' FROM n`);
    });
  }

  function letters() {
    return room.store.deadLetters.list({ sessionId: room.session.id });
  }

  function rowCount(): unknown {
    return room.outbound(room.session.id, (db) =>
      db.prepare('SELECT count(*) FROM messages_out').pluck().get(),
    );
  }

  it('that are no messages is told of some of them, and of the others by their number', async () => {
    flood(1_000);
    await room.deliver();
    expect(letters()).toHaveLength(21);
    expect(letters().map(({ reason }) => reason)).toContainEqual(
      expect.stringContaining('one of 980 that are not listed one by one'),
    );
    expect(Object.values(room.deliveries(room.session.id))).toHaveLength(1_000);
    const told = room.messagesIn(room.session.id).filter(({ status }) => status === 'context');
    expect(told).toHaveLength(21);

    flood(500, '{"malformed":2}', 1_001);
    await room.deliver();
    expect(letters()).toHaveLength(21);
    expect(letters().some(({ reason }) => reason.includes('one of 1480'))).toBe(true);
    room.runner.say('o-1');
    await room.deliver();
    expect(room.texts()).toEqual(['o-1']);
  });

  it('to where it may not write is told likewise, and its file is no damage', async () => {
    flood(2_000, '{"text":"hi"}');
    room.outbound(room.session.id, (db) => {
      db.exec(`UPDATE messages_out SET channel_type = 'fake', platform_id = 'stranger'`);
    });
    await room.deliver();
    expect(letters()).toHaveLength(201);
    expect(room.damaged).toEqual([]);
  });

  it('that fall due one after the other has them delivered together, in bounded time', async () => {
    const count = 500;
    flood(count, '{"text":"hi"}');
    room.outbound(room.session.id, (db) => {
      const update = db.prepare('UPDATE messages_out SET deliver_after = ? WHERE seq = ?');
      for (let i = 1; i <= count; i += 1) update.run(room.clock.iso(i), 100 + i);
    });
    await room.deliver();
    let passes = 0;
    for (; passes < 40 && room.texts().length < count; passes += 1) {
      room.clock.advance(room.deliversIn() ?? 0);
      await room.deliver();
    }
    expect(room.texts()).toHaveLength(count);
    expect(passes).toBeLessThan(40);
  });

  it('that are no messages has its file replaced once: the fresh one holds what can be sent', async () => {
    room.runner.say('before');
    await room.deliver();
    flood(3_000);
    room.runner.say('after');
    await room.deliver();
    await room.delivery.loop.drain();
    await room.deliver();
    expect(room.repairNames()).toEqual(['outbound.db replaced']);
    expect(room.repairs()[0]?.detail).toContain('2980 rows that are no messages left out');
    expect(room.texts()).toEqual(['before', 'after']);
    expect(rowCount()).toBe(22);
    expect(letters()).toHaveLength(21);
    expect(room.store.sessions.find(room.session.id)?.status).toBe('active');

    room.rebuild();
    await room.deliver();
    expect(room.repairNames()).toEqual(['outbound.db replaced']);
    expect(letters()).toHaveLength(21);
  });

  it('is quarantined where it goes on and on', async () => {
    for (let round = 1; round <= 10; round += 1) {
      const createdAt = room.clock.iso();
      const repair = { file: 'outbound.db', action: 'replaced', detail: 'It was full.' } as const;
      room.store.repairs.settle(room.session.id, { ...repair, createdAt });
    }
    flood(1_500);
    await room.deliver();
    expect(room.store.sessions.find(room.session.id)?.status).toBe('set-aside');
    expect(letters()).toHaveLength(21);
  });

  it('does not keep the daemon from stopping: the pass ends after a page, and settles nothing', async () => {
    await room.take('m-1');
    room.runner.claim('m-1');
    flood(500, '{"text":"hi"}');
    room.runner.complete('m-1');
    room.delivery.loop.beginStop();
    await expect(room.end()).rejects.toThrow('could not be dealt with');
    expect(room.channel.sends).toHaveLength(100);
    expect(room.describe()['m-1']).toBe('pending 0');
    expect(room.deliversIn()).toBeDefined();

    room.rebuild();
    await room.end();
    expect(room.channel.sends).toHaveLength(500);
    expect(room.describe()['m-1']).toBe('completed 0');
  });

  it('is not read to the end once its session is closed, but what was said before is sent', async () => {
    room.runner.sayAll(Array.from({ length: 150 }, (_, index) => `o-${index}`));
    flood(5_000, '{"malformed":1}', 1_000);
    room.store.sessions.setStatus(room.session.id, 'closed', 'enough');
    await room.end();
    expect(room.channel.sends).toHaveLength(150);
    expect(Object.keys(room.deliveries(room.session.id)).length).toBeLessThan(500);
  });

  describe('for later', () => {
    beforeEach(async () => {
      flood(1_000, '{"text":"later"}');
      room.outbound(room.session.id, (db) => {
        db.exec(`UPDATE messages_out SET deliver_after = '${later}'`);
        db.exec(`UPDATE messages_out SET deliver_after = '2029-01-01T00:00:00Z' WHERE id = 'r500'`);
      });
      await room.deliver();
    });

    it('has them read once: the next passes begin after them', async () => {
      const reads: number[] = [];
      const readPage = room.mailbox.readPage.bind(room.mailbox);
      room.mailbox.readPage = (id, request) => {
        reads.push(request.after);
        return readPage(id, request);
      };
      room.runner.say('now');
      await room.deliver();
      await room.deliver();
      expect(reads).toEqual([1_100, 1_101]);
      expect(room.texts()).toEqual(['now']);
      expect(room.store.dueItems.find(room.session.id, 'deliver')?.dueAt).toBe(
        '2029-01-01T00:00:00.000Z',
      );
    });

    it('has each sent when its time comes', async () => {
      room.clock.advance(Date.parse('2029-06-01') - room.clock.now());
      await room.deliver();
      expect(room.channel.sends.map(({ messageId }) => messageId)).toEqual(['r500']);
      room.clock.advance(Date.parse(later) - room.clock.now());
      await room.deliver();
      expect(room.channel.sends).toHaveLength(1_000);
      expect(room.deliversIn()).toBeUndefined();
    });

    it('has one that is retried sent, wherever it stands', async () => {
      room.channel.willAnswer({ kind: 'failed', reason: 'no', retryable: false });
      room.outbound(room.session.id, (db) => {
        db.exec(`UPDATE messages_out SET deliver_after = NULL WHERE id = 'r400'`);
      });
      room.rebuild();
      await room.deliver();
      expect(Object.keys(room.outDeadLetters())).toEqual(['r400']);
      room.runner.say('now');
      await room.deliver();
      const letter = { sessionId: room.session.id, direction: 'out', messageId: 'r400' } as const;
      await room.delivery.deadLetters.retry([letter]);
      await room.delivery.loop.drain();
      expect(room.channel.sent.map(({ messageId }) => messageId)).toEqual(['now', 'r400']);
    });
  });
});
