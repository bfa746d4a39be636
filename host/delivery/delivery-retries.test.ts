import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeliveryRoom } from '../../test/fakes/delivery-room.js';

const refusal = { kind: 'failed', reason: 'too fast', retryable: true } as const;

describe('a send that fails', () => {
  let room: DeliveryRoom;

  beforeEach(() => {
    room = new DeliveryRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function attempts(): Readonly<Record<string, number>> {
    const retries = room.store.deliveryRetries.list(room.session.id).values();
    return Object.fromEntries([...retries].map((retry) => [retry.messageOutId, retry.attempts]));
  }

  it('is tried again with growing waits; what follows in its chat waits, other chats go on', async () => {
    const other = room.addWiredChat('chat-2');
    room.channel.willAnswer(refusal);
    room.runner.say('a-1');
    room.runner.say('a-2');
    room.runner.say('b-1', { address: other });
    await room.deliver();
    expect(room.texts()).toEqual(['b-1']);
    expect(attempts()).toEqual({ 'a-1': 1 });
    expect(room.deliversIn()).toBe(1_000);
    expect(room.deliveries(room.session.id)).toEqual({ 'b-1': 'delivered' });

    room.runner.say('a-3');
    await room.deliver();
    expect(room.texts()).toEqual(['b-1']);

    room.channel.willAnswer(refusal);
    room.clock.advance(1_000);
    await room.deliver();
    expect(attempts()).toEqual({ 'a-1': 2 });
    expect(room.deliversIn()).toBe(2_000);

    room.rebuild();
    await room.deliver();
    expect(room.texts()).toEqual(['b-1']);
    room.clock.advance(2_000);
    await room.deliver();
    expect(room.texts()).toEqual(['b-1', 'a-1', 'a-2', 'a-3']);
    expect(attempts()).toEqual({});
    expect(room.deliversIn()).toBeUndefined();
  });

  it('is given up after the last try, and does not stand in the way any more', async () => {
    room.channel.willAnswer(refusal, refusal, refusal);
    room.runner.sayAll(['o-1', 'o-2']);
    for (let tries = 0; tries < 3; tries += 1) {
      await room.deliver();
      room.clock.advance(60_000);
    }
    expect(room.deliveries(room.session.id)).toEqual({ 'o-1': 'failed', 'o-2': 'delivered' });
    expect(room.outDeadLetters()).toEqual({ 'o-1': 'too fast' });
    expect(attempts()).toEqual({});
    expect(room.channel.sends).toHaveLength(4);
  });

  it('is tried again no sooner than the platform wishes', async () => {
    room.channel.willAnswer({ ...refusal, retryAfterMs: 30_000 });
    room.runner.say('o-1');
    await room.deliver();
    expect(room.deliversIn()).toBe(30_000);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 1e300, -5])(
    'is tried again also where the platform wishes for %d ms',
    async (retryAfterMs) => {
      room.channel.willAnswer({ ...refusal, retryAfterMs });
      room.runner.sayAll(['o-1', 'o-2']);
      await room.deliver();
      expect(attempts()).toEqual({ 'o-1': 1 });
      expect(room.deliveries(room.session.id)).toEqual({});
      room.clock.advance(room.deliversIn()!);
      await room.deliver();
      expect(room.texts()).toEqual(['o-1', 'o-2']);
    },
  );

  it('is not tried again when the platform says never', async () => {
    room.channel.willAnswer({ kind: 'failed', reason: 'you are banned', retryable: false });
    room.runner.sayAll(['o-1', 'o-2']);
    await room.deliver();
    expect(room.deliveries(room.session.id)).toEqual({ 'o-1': 'failed', 'o-2': 'delivered' });
    expect(room.outDeadLetters()).toEqual({ 'o-1': 'you are banned' });
    expect(room.deliversIn()).toBeUndefined();
  });

  it.each(['at once', 'later'])('by throwing %s is tried again', async (when) => {
    const send = room.channel.send.bind(room.channel);
    room.channel.send = (event): ReturnType<typeof send> => {
      room.channel.send = send;
      room.channel.sends.push(event);
      if (when === 'at once') throw new Error('a bug');
      return Promise.reject(new Error('a bug'));
    };
    room.runner.say('o-1');
    await room.deliver();
    expect(attempts()).toEqual({ 'o-1': 1 });
    room.clock.advance(1_000);
    await room.deliver();
    expect(room.texts()).toEqual([expect.stringContaining('o-1')]);
  });

  it('is noted only for replies whose sending has begun', async () => {
    const seen: unknown[] = [];
    const send = room.channel.send.bind(room.channel);
    room.channel.send = (event) => {
      seen.push(room.deliveries(room.session.id));
      return send(event);
    };
    room.channel.willAnswer(refusal);
    const count = 'SELECT count(*) FROM delivered_log';
    room.inbound(room.session.id, (db) => {
      db.exec(`CREATE TABLE delivered_log (id TEXT);
               CREATE TRIGGER log_delivered AFTER INSERT ON delivered
               BEGIN INSERT INTO delivered_log VALUES (new.message_out_id); END`);
    });
    room.runner.sayAll(['o-1', 'o-2', 'o-3']);
    await room.deliver();
    expect(seen).toEqual([{ 'o-1': 'sending' }]);
    expect(room.inbound(room.session.id, (db) => db.prepare(count).pluck().get())).toBe(1);
  });
});

describe('a chat where nobody listens', () => {
  it.each([true, false])(
    'gets its replies when somebody does, in order and once (idempotent: %s)',
    async (sendsAreIdempotent) => {
      using room = new DeliveryRoom({ sendsAreIdempotent });
      const other = room.addWiredChat('chat-2');
      room.channel.leave('chat-1');
      room.runner.say('a-1');
      room.runner.say('b-1', { address: other });
      await room.deliver();
      room.runner.say('a-2');
      await room.deliver();
      expect(room.texts()).toEqual(['b-1']);
      expect(room.deliveries(room.session.id)).toEqual({ 'b-1': 'delivered' });
      expect(room.deliversIn()).toBeUndefined();

      room.rebuild();
      room.channel.listen('chat-1');
      await room.delivery.loop.drain();
      expect(room.texts()).toEqual(['b-1', 'a-1', 'a-2']);
      room.channel.listen('chat-1');
      await room.deliver();
      expect(room.texts()).toEqual(['b-1', 'a-1', 'a-2']);
    },
  );

  it('loses nothing when somebody comes in the middle of a pass, and goes again', async () => {
    using room = new DeliveryRoom({ sendsAreIdempotent: true });
    room.channel.leave('chat-1');
    const send = room.channel.send.bind(room.channel);
    room.channel.send = async (event) => {
      const outcome = await send(event);
      // They come when the channel has just said that nobody is there.
      if (outcome.kind === 'nobody-listening') {
        setImmediate(() => {
          room.channel.listen('chat-1');
        });
      }
      return outcome;
    };
    room.runner.sayAll(Array.from({ length: 60 }, (_, index) => `o-${index}`));
    await room.deliver();
    await new Promise((resolve) => setImmediate(resolve));
    await room.delivery.loop.drain();
    expect(room.texts()).toHaveLength(60);
    expect(new Set(room.texts()).size).toBe(60);
  });
});
