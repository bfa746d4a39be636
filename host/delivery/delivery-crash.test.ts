import { afterEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../shared/base/sqlite/sqlite.js';
import { inboundDbPath } from '../../shared/protocol/workspace.js';
import { DeliverySetup } from '../../test/fakes/delivery-setup.js';
import { until } from '../../test/fakes/waiting.js';

describe('an interrupted delivery', () => {
  let setup: DeliverySetup;

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  /** A daemon that dies in the middle of a send leaves these rows behind. */
  async function dieWhileSending(...ids: string[]): Promise<void> {
    setup.runner.sayAll(ids);
    const sending = { status: 'sending', platformMessageId: null } as const;
    const records = ids.map((messageOutId) => ({ messageOutId, ...sending }));
    await setup.mailbox.inbound(setup.session.id, 'recordDeliveries', records, [], 0);
    setup.rebuild();
  }

  it.each([
    { sendsAreIdempotent: false, whileSent: 'sending' },
    // The message is sent again after a crash in any case, under the same id.
    { sendsAreIdempotent: true, whileSent: undefined },
  ])(
    'is noted before it is sent where a repeat would show (idempotent: $sendsAreIdempotent)',
    async ({ sendsAreIdempotent, whileSent }) => {
      setup = new DeliverySetup({ sendsAreIdempotent });
      const seen: (string | undefined)[] = [];
      const send = setup.channel.send.bind(setup.channel);
      setup.channel.send = (event) => {
        seen.push(setup.deliveries(setup.session.id)[event.messageId]);
        return send(event);
      };
      setup.runner.sayAll(['o-1', 'o-2', 'o-3']);
      await setup.deliver();
      expect(seen).toEqual([whileSent, whileSent, whileSent]);
      expect(Object.values(setup.deliveries(setup.session.id))).toEqual([
        'delivered',
        'delivered',
        'delivered',
      ]);
    },
  );

  it('has its outcomes written after 25 sends at the most where a repeat does not show', async () => {
    setup = new DeliverySetup({ sendsAreIdempotent: true });
    const written: number[] = [];
    const send = setup.channel.send.bind(setup.channel);
    setup.channel.send = (event) => {
      written.push(Object.keys(setup.deliveries(setup.session.id)).length);
      return send(event);
    };
    setup.runner.sayAll(Array.from({ length: 60 }, (_, i) => `o-${i}`));
    await setup.deliver();
    expect(written.map((count, sent) => sent - count)).toEqual(
      Array.from({ length: 60 }, (_, sent) => sent % 25),
    );
  });

  it('is sent again where a repeat does not show', async () => {
    setup = new DeliverySetup({ sendsAreIdempotent: true });
    await dieWhileSending('o-1', 'o-2');
    setup.runner.say('o-3');
    await setup.deliver();
    expect(setup.texts()).toEqual(['o-1', 'o-2', 'o-3']);
    expect(setup.outDeadLetters()).toEqual({});
  });

  it('is sent again where a repeat would show, and says so', async () => {
    setup = new DeliverySetup();
    await dieWhileSending('o-1');
    setup.runner.say('o-2');
    await setup.deliver();
    expect(setup.texts()).toEqual([expect.stringMatching(/may be a repeat.*\no-1$/s), 'o-2']);
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'delivered', 'o-2': 'delivered' });
    expect(setup.outDeadLetters()).toEqual({});
    expect(setup.store.deliveryRetries.list(setup.session.id).size).toBe(0);
  });

  it.each(['crash', 'failure', 'silence', 'absence'])(
    'says so also when the repeat ends in a %s',
    async (kind) => {
      setup = new DeliverySetup({ sendTimeoutMs: 20 });
      await dieWhileSending('o-1');
      if (kind === 'failure') {
        setup.channel.willAnswer({ kind: 'failed', reason: 'too fast', retryable: true });
      }
      if (kind === 'silence') setup.channel.willAnswer({ kind: 'hangs' });
      if (kind === 'absence') setup.channel.leave('chat-1');
      if (kind === 'crash') await dieWhileSending('o-1');
      else await setup.deliver();
      expect(setup.texts()).toEqual([]);
      setup.rebuild();
      setup.clock.advance(60_000);
      setup.channel.listen('chat-1');
      await setup.deliver();
      expect(setup.texts()).toEqual([expect.stringMatching(/may be a repeat.*\no-1$/s)]);
      expect(setup.store.deliveryRetries.list(setup.session.id).size).toBe(0);
    },
  );

  it('is held for the operator where that is the policy', async () => {
    setup = new DeliverySetup({ unknownSends: 'hold' });
    await dieWhileSending('o-1');
    setup.runner.say('o-2');
    await setup.deliver();
    expect(setup.texts()).toEqual(['o-2']);
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'failed', 'o-2': 'delivered' });
    expect(setup.outDeadLetters()['o-1']).toContain('may have arrived');
    expect(setup.store.deadLetters.list()).toMatchObject([{ messageId: 'o-1', maybeSent: true }]);
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
      setup = new DeliverySetup({ unknownSends, sendsAreIdempotent, sendTimeoutMs: 20 });
      const other = setup.addWiredChat('chat-2');
      setup.channel.willAnswer({ kind: 'hangs' });
      setup.runner.say('o-1');
      setup.runner.say('o-2', { address: other });
      await setup.deliver();
      expect(setup.texts()).toEqual(['o-2']);
      setup.clock.advance(60_000);
      await setup.deliver();
      const texts = {
        'sent as it is': ['o-2', 'o-1'],
        'sent as a repeat': ['o-2', expect.stringMatching(/may be a repeat.*\no-1$/s)],
        held: ['o-2'],
      };
      expect(setup.texts()).toEqual(texts[becomes]);
      const letter = setup.outDeadLetters()['o-1'];
      expect(letter?.includes('may have arrived')).toBe(becomes === 'held' ? true : undefined);
      await setup.channel.stop();
    },
  );

  it.each(['throws', 'unknown'] as const)(
    'by a channel that breaks (%s) is a repeat the next time',
    async (kind) => {
      setup = new DeliverySetup();
      setup.channel.willAnswer({ kind, message: 'reset', reason: 'reset' });
      setup.runner.say('o-1');
      await setup.deliver();
      setup.clock.advance(1_000);
      await setup.deliver();
      expect(setup.texts()).toEqual([expect.stringMatching(/may be a repeat.*\no-1$/s)]);
    },
  );

  it('was given up before the crash, and is delivered after it: nothing is left of that', async () => {
    setup = new DeliverySetup({ sendsAreIdempotent: true });
    await dieWhileSending('o-1');
    const letter = { sessionId: setup.session.id, direction: 'out', messageId: 'o-1' } as const;
    setup.store.deadLetters.insert({ ...letter, reason: 'busy', createdAt: setup.clock.iso() });
    await setup.deliver();
    expect(setup.texts()).toEqual(['o-1']);
    expect(setup.outDeadLetters()).toEqual({});
  });

  it('that could not be noted is read again soon, and told to whoever plans', async () => {
    setup = new DeliverySetup();
    setup.runner.say('o-1');
    setup.inbound(setup.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON delivered
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await setup.deliver();
    expect(setup.texts()).toEqual([]);
    expect(setup.deliversIn()).toBe(5_000);
    expect(setup.planned).toBe(1);
    setup.inbound(setup.session.id, (db) => {
      db.exec('DROP TRIGGER full');
    });
    setup.clock.advance(5_000);
    await setup.deliver();
    expect(setup.texts()).toEqual(['o-1']);
  });

  it.each([
    { sendsAreIdempotent: false, noting: 'UPDATE', left: { 'o-1': 'sending' } },
    { sendsAreIdempotent: true, noting: 'INSERT', left: {} },
  ])(
    'whose outcome could not be noted is neither forgotten nor repeated (idempotent: $sendsAreIdempotent)',
    async ({ sendsAreIdempotent, noting, left }) => {
      setup = new DeliverySetup({ sendsAreIdempotent });
      await setup.post(setup.session, 'm-1');
      setup.runner.say('o-1', { inReplyTo: 'm-1' });
      setup.runner.complete('m-1');
      setup.inbound(setup.session.id, (db) => {
        db.exec(`CREATE TRIGGER full BEFORE ${noting} ON delivered
                 BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
      });
      await setup.deliver();
      await setup.deliver();
      expect(setup.texts()).toEqual(['o-1']);
      expect(setup.deliveries(setup.session.id)).toEqual(left);
      setup.inbound(setup.session.id, (db) => {
        db.exec('DROP TRIGGER full');
      });
      await setup.deliver();
      expect(setup.texts()).toEqual(['o-1']);
      expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'delivered' });
      expect(setup.messagesIn(setup.session.id)).toMatchObject([{ status: 'completed' }]);
    },
  );

  it('never brings the daemon down, not even where nothing can be written at all', async () => {
    setup = new DeliverySetup();
    setup.runner.say('o-1');
    setup.inbound(setup.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON delivered
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    setup.central((db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON due_items
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await expect(setup.deliver()).resolves.toBeUndefined();
    expect(setup.logLines.at(-1)).toContain('disk is full');
  });

  it('is read again by itself when a full disk has room again, though nothing could be planned', async () => {
    setup = new DeliverySetup({ repeatPassMs: 20 });
    setup.runner.say('o-1');
    setup.inbound(setup.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON delivered
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    setup.central((db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON due_items
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await setup.deliver();
    setup.inbound(setup.session.id, (db) => {
      db.exec('DROP TRIGGER full');
    });
    await until(() => {
      expect(setup.texts()).toEqual(['o-1']);
    });
    await setup.delivery.loop.stop();
  });

  it('goes on when the lock on its file is gone, while others are delivered', async () => {
    setup = new DeliverySetup();
    const other = setup.addSession();
    setup.runner.say('o-1');
    setup.runnerOf(other.id).say('o-2');
    const path = inboundDbPath(setup.folders.inDir(setup.session.id));
    const lock = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    setup.delivery.loop.nudge(setup.session.id);
    setup.delivery.loop.nudge(other.id);
    await expect.poll(() => setup.texts(), { interval: 2 }).toEqual(['o-2']);
    lock.close();
    await setup.delivery.loop.drain();
    expect(setup.texts()).toEqual(['o-2', 'o-1']);
  });
});

describe('the end of a container', () => {
  it('is dealt with when what it left behind is delivered and settled', async () => {
    using setup = new DeliverySetup();
    await setup.post(setup.session, 'm-1', 'm-2');
    setup.runner.claim('m-1', 'm-2');
    setup.runner.say('o-1', { inReplyTo: 'm-1' });
    setup.runner.complete('m-1');
    await setup.delivery.loop.finish(setup.session.id, new Set());
    expect(setup.texts()).toEqual(['o-1']);
    expect(setup.describe()).toEqual({ 'm-1': 'completed 0', 'm-2': 'pending 1 +1000' });
  });

  it('is not dealt with while its files cannot be written, so that nothing new is started', async () => {
    using setup = new DeliverySetup();
    await setup.post(setup.session, 'm-1');
    setup.runner.claim('m-1');
    setup.inbound(setup.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE UPDATE ON messages_in
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await expect(setup.delivery.loop.finish(setup.session.id, new Set())).rejects.toThrow();
    setup.inbound(setup.session.id, (db) => {
      db.exec('DROP TRIGGER full');
    });
    await setup.delivery.loop.finish(setup.session.id, new Set());
    expect(setup.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    // The next container's claim is its own.
    setup.runner.claimTry(1, 'm-1');
    await setup.deliver();
    expect(setup.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
  });
});
