import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeliverySetup } from '../../test/fakes/delivery-setup.js';

const refusal = { kind: 'failed', reason: 'too fast', retryable: true } as const;

describe('a send that fails', () => {
  let setup: DeliverySetup;

  beforeEach(() => {
    setup = new DeliverySetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function attempts(): Readonly<Record<string, number>> {
    const retries = setup.store.deliveryRetries.list(setup.session.id).values();
    return Object.fromEntries([...retries].map((retry) => [retry.messageOutId, retry.attempts]));
  }

  it('is tried again with growing waits; what follows in its chat waits, other chats go on', async () => {
    const other = setup.addWiredChat('chat-2');
    setup.channel.willAnswer(refusal);
    setup.runner.say('a-1');
    setup.runner.say('a-2');
    setup.runner.say('b-1', { address: other });
    await setup.deliver();
    expect(setup.texts()).toEqual(['b-1']);
    expect(attempts()).toEqual({ 'a-1': 1 });
    expect(setup.deliversIn()).toBe(1_000);
    expect(setup.deliveries(setup.session.id)).toEqual({ 'b-1': 'delivered' });

    setup.runner.say('a-3');
    await setup.deliver();
    expect(setup.texts()).toEqual(['b-1']);

    setup.channel.willAnswer(refusal);
    setup.clock.advance(1_000);
    await setup.deliver();
    expect(attempts()).toEqual({ 'a-1': 2 });
    expect(setup.deliversIn()).toBe(2_000);

    setup.rebuild();
    await setup.deliver();
    expect(setup.texts()).toEqual(['b-1']);
    setup.clock.advance(2_000);
    await setup.deliver();
    expect(setup.texts()).toEqual(['b-1', 'a-1', 'a-2', 'a-3']);
    expect(attempts()).toEqual({});
    expect(setup.deliversIn()).toBeUndefined();
  });

  it('is given up after the last try, and does not stand in the way any more', async () => {
    setup.channel.willAnswer(refusal, refusal, refusal);
    setup.runner.sayAll(['o-1', 'o-2']);
    for (let tries = 0; tries < 3; tries += 1) {
      await setup.deliver();
      setup.clock.advance(60_000);
    }
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'failed', 'o-2': 'delivered' });
    expect(setup.outDeadLetters()).toEqual({ 'o-1': 'too fast' });
    expect(attempts()).toEqual({});
    expect(setup.channel.sends).toHaveLength(4);
  });

  it('is tried again no sooner than the platform wishes', async () => {
    setup.channel.willAnswer({ ...refusal, retryAfterMs: 30_000 });
    setup.runner.say('o-1');
    await setup.deliver();
    expect(setup.deliversIn()).toBe(30_000);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 1e300, -5])(
    'is tried again also where the platform wishes for %d ms',
    async (retryAfterMs) => {
      setup.channel.willAnswer({ ...refusal, retryAfterMs });
      setup.runner.sayAll(['o-1', 'o-2']);
      await setup.deliver();
      expect(attempts()).toEqual({ 'o-1': 1 });
      expect(setup.deliveries(setup.session.id)).toEqual({});
      setup.clock.advance(setup.deliversIn()!);
      await setup.deliver();
      expect(setup.texts()).toEqual(['o-1', 'o-2']);
    },
  );

  it('is not tried again when the platform says never', async () => {
    setup.channel.willAnswer({ kind: 'failed', reason: 'you are banned', retryable: false });
    setup.runner.sayAll(['o-1', 'o-2']);
    await setup.deliver();
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'failed', 'o-2': 'delivered' });
    expect(setup.outDeadLetters()).toEqual({ 'o-1': 'you are banned' });
    expect(setup.deliversIn()).toBeUndefined();
  });

  it.each(['at once', 'later'])('by throwing %s is tried again', async (when) => {
    const send = setup.channel.send.bind(setup.channel);
    setup.channel.send = (event): ReturnType<typeof send> => {
      setup.channel.send = send;
      setup.channel.sends.push(event);
      if (when === 'at once') throw new Error('a bug');
      return Promise.reject(new Error('a bug'));
    };
    setup.runner.say('o-1');
    await setup.deliver();
    expect(attempts()).toEqual({ 'o-1': 1 });
    setup.clock.advance(1_000);
    await setup.deliver();
    expect(setup.texts()).toEqual([expect.stringContaining('o-1')]);
  });

  it('is noted only for replies whose sending has begun', async () => {
    const seen: unknown[] = [];
    const send = setup.channel.send.bind(setup.channel);
    setup.channel.send = (event) => {
      seen.push(setup.deliveries(setup.session.id));
      return send(event);
    };
    setup.channel.willAnswer(refusal);
    const count = 'SELECT count(*) FROM delivered_log';
    setup.inbound(setup.session.id, (db) => {
      db.exec(`CREATE TABLE delivered_log (id TEXT);
               CREATE TRIGGER log_delivered AFTER INSERT ON delivered
               BEGIN INSERT INTO delivered_log VALUES (new.message_out_id); END`);
    });
    setup.runner.sayAll(['o-1', 'o-2', 'o-3']);
    await setup.deliver();
    expect(seen).toEqual([{ 'o-1': 'sending' }]);
    expect(setup.inbound(setup.session.id, (db) => db.prepare(count).pluck().get())).toBe(1);
  });
});

describe('a chat where nobody listens', () => {
  it.each([true, false])(
    'gets its replies when somebody does, in order and once (idempotent: %s)',
    async (sendsAreIdempotent) => {
      using setup = new DeliverySetup({ sendsAreIdempotent });
      const other = setup.addWiredChat('chat-2');
      setup.channel.leave('chat-1');
      setup.runner.say('a-1');
      setup.runner.say('b-1', { address: other });
      await setup.deliver();
      setup.runner.say('a-2');
      await setup.deliver();
      expect(setup.texts()).toEqual(['b-1']);
      expect(setup.deliveries(setup.session.id)).toEqual({ 'b-1': 'delivered' });
      expect(setup.deliversIn()).toBeUndefined();

      setup.rebuild();
      setup.channel.listen('chat-1');
      await setup.delivery.loop.drain();
      expect(setup.texts()).toEqual(['b-1', 'a-1', 'a-2']);
      setup.channel.listen('chat-1');
      await setup.deliver();
      expect(setup.texts()).toEqual(['b-1', 'a-1', 'a-2']);
    },
  );

  it('loses nothing when somebody comes in the middle of a pass, and goes again', async () => {
    using setup = new DeliverySetup({ sendsAreIdempotent: true });
    setup.channel.leave('chat-1');
    const send = setup.channel.send.bind(setup.channel);
    setup.channel.send = async (event) => {
      const outcome = await send(event);
      // They come when the channel has just said that nobody is there.
      if (outcome.kind === 'nobody-listening') {
        setImmediate(() => {
          setup.channel.listen('chat-1');
        });
      }
      return outcome;
    };
    setup.runner.sayAll(Array.from({ length: 60 }, (_, index) => `o-${index}`));
    await setup.deliver();
    await new Promise((resolve) => setImmediate(resolve));
    await setup.delivery.loop.drain();
    expect(setup.texts()).toHaveLength(60);
    expect(new Set(setup.texts()).size).toBe(60);
  });
});
