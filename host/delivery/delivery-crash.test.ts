import { afterEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../shared/base/sqlite/sqlite.js';
import { inboundDbPath } from '../../shared/protocol/workspace.js';
import { DeliveryRoom } from '../../test/fakes/delivery-room.js';
import { until } from '../../test/fakes/waiting.js';

describe('an interrupted delivery', () => {
  let room: DeliveryRoom;

  afterEach(() => {
    room[Symbol.dispose]();
  });

  /** A daemon that dies in the middle of a send leaves these rows behind. */
  async function dieWhileSending(...ids: string[]): Promise<void> {
    room.runner.sayAll(ids);
    const sending = { status: 'sending', platformMessageId: null } as const;
    const records = ids.map((messageOutId) => ({ messageOutId, ...sending }));
    await room.mailbox.inbound(room.session.id, 'recordDeliveries', records, [], 0);
    room.rebuild();
  }

  it.each([
    { sendsAreIdempotent: false, whileSent: 'sending' },
    // The message is sent again after a crash in any case, under the same id.
    { sendsAreIdempotent: true, whileSent: undefined },
  ])(
    'is noted before it is sent where a repeat would show (idempotent: $sendsAreIdempotent)',
    async ({ sendsAreIdempotent, whileSent }) => {
      room = new DeliveryRoom({ sendsAreIdempotent });
      const seen: (string | undefined)[] = [];
      const send = room.channel.send.bind(room.channel);
      room.channel.send = (event) => {
        seen.push(room.deliveries(room.session.id)[event.messageId]);
        return send(event);
      };
      room.runner.sayAll(['o-1', 'o-2', 'o-3']);
      await room.deliver();
      expect(seen).toEqual([whileSent, whileSent, whileSent]);
      expect(Object.values(room.deliveries(room.session.id))).toEqual([
        'delivered',
        'delivered',
        'delivered',
      ]);
    },
  );

  it('has its outcomes written after 25 sends at the most where a repeat does not show', async () => {
    room = new DeliveryRoom({ sendsAreIdempotent: true });
    const written: number[] = [];
    const send = room.channel.send.bind(room.channel);
    room.channel.send = (event) => {
      written.push(Object.keys(room.deliveries(room.session.id)).length);
      return send(event);
    };
    room.runner.sayAll(Array.from({ length: 60 }, (_, i) => `o-${i}`));
    await room.deliver();
    expect(written.map((count, sent) => sent - count)).toEqual(
      Array.from({ length: 60 }, (_, sent) => sent % 25),
    );
  });

  it('is sent again where a repeat does not show', async () => {
    room = new DeliveryRoom({ sendsAreIdempotent: true });
    await dieWhileSending('o-1', 'o-2');
    room.runner.say('o-3');
    await room.deliver();
    expect(room.texts()).toEqual(['o-1', 'o-2', 'o-3']);
    expect(room.outDeadLetters()).toEqual({});
  });

  it('is sent again where a repeat would show, and says so', async () => {
    room = new DeliveryRoom();
    await dieWhileSending('o-1');
    room.runner.say('o-2');
    await room.deliver();
    expect(room.texts()).toEqual([expect.stringMatching(/may be a repeat.*\no-1$/s), 'o-2']);
    expect(room.deliveries(room.session.id)).toEqual({ 'o-1': 'delivered', 'o-2': 'delivered' });
    expect(room.outDeadLetters()).toEqual({});
    expect(room.store.deliveryRetries.list(room.session.id).size).toBe(0);
  });

  it.each(['crash', 'failure', 'silence', 'absence'])(
    'says so also when the repeat ends in a %s',
    async (kind) => {
      room = new DeliveryRoom({ sendTimeoutMs: 20 });
      await dieWhileSending('o-1');
      if (kind === 'failure') {
        room.channel.willAnswer({ kind: 'failed', reason: 'too fast', retryable: true });
      }
      if (kind === 'silence') room.channel.willAnswer({ kind: 'hangs' });
      if (kind === 'absence') room.channel.leave('chat-1');
      if (kind === 'crash') await dieWhileSending('o-1');
      else await room.deliver();
      expect(room.texts()).toEqual([]);
      room.rebuild();
      room.clock.advance(60_000);
      room.channel.listen('chat-1');
      await room.deliver();
      expect(room.texts()).toEqual([expect.stringMatching(/may be a repeat.*\no-1$/s)]);
      expect(room.store.deliveryRetries.list(room.session.id).size).toBe(0);
    },
  );

  it('is held for the operator where that is the policy', async () => {
    room = new DeliveryRoom({ unknownSends: 'hold' });
    await dieWhileSending('o-1');
    room.runner.say('o-2');
    await room.deliver();
    expect(room.texts()).toEqual(['o-2']);
    expect(room.deliveries(room.session.id)).toEqual({ 'o-1': 'failed', 'o-2': 'delivered' });
    expect(room.outDeadLetters()['o-1']).toContain('may have arrived');
    expect(room.store.deadLetters.list()).toMatchObject([{ messageId: 'o-1', maybeSent: true }]);
  });

  const unanswered = [
    { unknownSends: 'repeat', sendsAreIdempotent: true, becomes: 'sent as it is' },
    { unknownSends: 'repeat', sendsAreIdempotent: false, becomes: 'sent as a repeat' },
    { unknownSends: 'hold', sendsAreIdempotent: true, becomes: 'sent as it is' },
    { unknownSends: 'hold', sendsAreIdempotent: false, becomes: 'held' },
  ] as const;

  it.each(unanswered)(
    'by a channel that hangs ends in time and follows the policy: $unknownSends, idempotent $sendsAreIdempotent',
    async ({ unknownSends, sendsAreIdempotent, becomes }) => {
      room = new DeliveryRoom({ unknownSends, sendsAreIdempotent, sendTimeoutMs: 20 });
      const other = room.addWiredChat('chat-2');
      room.channel.willAnswer({ kind: 'hangs' });
      room.runner.say('o-1');
      room.runner.say('o-2', { address: other });
      await room.deliver();
      expect(room.texts()).toEqual(['o-2']);
      room.clock.advance(60_000);
      await room.deliver();
      const texts = {
        'sent as it is': ['o-2', 'o-1'],
        'sent as a repeat': ['o-2', expect.stringMatching(/may be a repeat.*\no-1$/s)],
        held: ['o-2'],
      };
      expect(room.texts()).toEqual(texts[becomes]);
      const letter = room.outDeadLetters()['o-1'];
      expect(letter?.includes('may have arrived')).toBe(becomes === 'held' ? true : undefined);
      await room.channel.stop();
    },
  );

  it.each(['throws', 'unknown'] as const)(
    'by a channel that breaks (%s) is a repeat the next time',
    async (kind) => {
      room = new DeliveryRoom();
      room.channel.willAnswer({ kind, message: 'reset', reason: 'reset' });
      room.runner.say('o-1');
      await room.deliver();
      room.clock.advance(1_000);
      await room.deliver();
      expect(room.texts()).toEqual([expect.stringMatching(/may be a repeat.*\no-1$/s)]);
    },
  );

  it('was given up before the crash, and is delivered after it: nothing is left of that', async () => {
    room = new DeliveryRoom({ sendsAreIdempotent: true });
    await dieWhileSending('o-1');
    const letter = { sessionId: room.session.id, direction: 'out', messageId: 'o-1' } as const;
    room.store.deadLetters.insert({ ...letter, reason: 'busy', createdAt: room.clock.iso() });
    await room.deliver();
    expect(room.texts()).toEqual(['o-1']);
    expect(room.outDeadLetters()).toEqual({});
  });

  it('that could not be noted is read again soon, and told to whoever plans', async () => {
    room = new DeliveryRoom();
    room.runner.say('o-1');
    room.inbound(room.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON delivered
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await room.deliver();
    expect(room.texts()).toEqual([]);
    expect(room.deliversIn()).toBe(5_000);
    expect(room.planned).toBe(1);
    room.inbound(room.session.id, (db) => {
      db.exec('DROP TRIGGER full');
    });
    room.clock.advance(5_000);
    await room.deliver();
    expect(room.texts()).toEqual(['o-1']);
  });

  it.each([
    { sendsAreIdempotent: false, noting: 'UPDATE', left: { 'o-1': 'sending' } },
    { sendsAreIdempotent: true, noting: 'INSERT', left: {} },
  ])(
    'whose outcome could not be noted is neither forgotten nor repeated (idempotent: $sendsAreIdempotent)',
    async ({ sendsAreIdempotent, noting, left }) => {
      room = new DeliveryRoom({ sendsAreIdempotent });
      await room.post(room.session, 'm-1');
      room.runner.say('o-1', { inReplyTo: 'm-1' });
      room.runner.complete('m-1');
      room.inbound(room.session.id, (db) => {
        db.exec(`CREATE TRIGGER full BEFORE ${noting} ON delivered
                 BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
      });
      await room.deliver();
      await room.deliver();
      expect(room.texts()).toEqual(['o-1']);
      expect(room.deliveries(room.session.id)).toEqual(left);
      room.inbound(room.session.id, (db) => {
        db.exec('DROP TRIGGER full');
      });
      await room.deliver();
      expect(room.texts()).toEqual(['o-1']);
      expect(room.deliveries(room.session.id)).toEqual({ 'o-1': 'delivered' });
      expect(room.messagesIn(room.session.id)).toMatchObject([{ status: 'completed' }]);
    },
  );

  it('never brings the daemon down, not even where nothing can be written at all', async () => {
    room = new DeliveryRoom();
    room.runner.say('o-1');
    room.inbound(room.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON delivered
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    room.central((db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON due_items
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await expect(room.deliver()).resolves.toBeUndefined();
    expect(room.logLines.at(-1)).toContain('disk is full');
  });

  it('is read again by itself when a full disk has room again, though nothing could be planned', async () => {
    room = new DeliveryRoom({ repeatPassMs: 20 });
    room.runner.say('o-1');
    room.inbound(room.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON delivered
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    room.central((db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON due_items
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await room.deliver();
    room.inbound(room.session.id, (db) => {
      db.exec('DROP TRIGGER full');
    });
    await until(() => {
      expect(room.texts()).toEqual(['o-1']);
    });
    await room.delivery.loop.stop();
  });

  it('goes on when the lock on its file is gone, while others are delivered', async () => {
    room = new DeliveryRoom();
    const other = room.addSession();
    room.runner.say('o-1');
    room.runnerOf(other.id).say('o-2');
    const path = inboundDbPath(room.folders.inDir(room.session.id));
    const lock = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    room.delivery.loop.nudge(room.session.id);
    room.delivery.loop.nudge(other.id);
    await expect.poll(() => room.texts(), { interval: 2 }).toEqual(['o-2']);
    lock.close();
    await room.delivery.loop.drain();
    expect(room.texts()).toEqual(['o-2', 'o-1']);
  });
});

describe('the end of a container', () => {
  it('is dealt with when what it left behind is delivered and settled', async () => {
    using room = new DeliveryRoom();
    await room.post(room.session, 'm-1', 'm-2');
    room.runner.claim('m-1', 'm-2');
    room.runner.say('o-1', { inReplyTo: 'm-1' });
    room.runner.complete('m-1');
    await room.delivery.loop.finish(room.session.id, new Set());
    expect(room.texts()).toEqual(['o-1']);
    expect(room.describe()).toEqual({ 'm-1': 'completed 0', 'm-2': 'pending 1 +1000' });
  });

  it('is not dealt with while its files cannot be written, so that nothing new is started', async () => {
    using room = new DeliveryRoom();
    await room.post(room.session, 'm-1');
    room.runner.claim('m-1');
    room.inbound(room.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE UPDATE ON messages_in
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await expect(room.delivery.loop.finish(room.session.id, new Set())).rejects.toThrow();
    room.inbound(room.session.id, (db) => {
      db.exec('DROP TRIGGER full');
    });
    await room.delivery.loop.finish(room.session.id, new Set());
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    // The next container's claim is its own.
    room.runner.claimTry(1, 'm-1');
    await room.deliver();
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
  });
});
