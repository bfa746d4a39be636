import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeliverySetup } from '../../test/fakes/delivery-setup.js';

const refusal = { kind: 'failed', reason: 'too fast', retryable: true } as const;

describe('the events of what fails', () => {
  let setup: DeliverySetup;

  beforeEach(() => {
    setup = new DeliverySetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  it('tell of each try of a message, of its end, and of who asked for another', async () => {
    await setup.post(setup.session, 'm-1');
    for (let tries = 0; tries < 3; tries += 1) {
      setup.runner.claimTry(tries, 'm-1');
      setup.runner.fail('m-1', 'no model', tries);
      await setup.pass();
      setup.clock.advance(60_000);
    }
    const letter = { sessionId: setup.session.id, direction: 'in', messageId: 'm-1' } as const;
    await setup.delivery.deadLetters.retry([letter]);
    expect(setup.events()).toEqual([
      'message.retried m-1: no model',
      'message.retried m-1: no model',
      'message.failed m-1: no model',
      'message.retried m-1: somebody has asked for it',
    ]);
    const details = setup.store.events.listForMessage('m-1', 10).map(({ detail }) => detail);
    expect(details.map(({ attempt }) => attempt)).toEqual([1, 2, undefined, undefined]);
  });

  it('tell of each try of a reply, and of its end, in its chat', async () => {
    setup.channel.alwaysAnswers(refusal);
    setup.runner.say('a-1');
    for (let tries = 0; tries < 3; tries += 1) {
      await setup.deliver();
      setup.clock.advance(60_000);
    }
    const letter = { sessionId: setup.session.id, direction: 'out', messageId: 'a-1' } as const;
    await setup.delivery.deadLetters.retry([letter]);
    expect(setup.events().slice(0, 4)).toEqual([
      'reply.retried a-1: too fast',
      'reply.retried a-1: too fast',
      'reply.failed a-1: too fast',
      'reply.retried a-1: somebody has asked for it',
    ]);
    const [first] = setup.store.events.listForMessage('a-1', 10);
    expect(first?.messagingGroupId).toBe(setup.chat.id);
  });

  it('tell once of what is told again after a crash', async () => {
    await setup.post(setup.session, 'm-1');
    const letter = { sessionId: setup.session.id, direction: 'in', messageId: 'm-1' } as const;
    await setup.settlement.giveUp(setup.session, 'no way');
    setup.inbound(setup.session.id, (db) =>
      db.prepare(`UPDATE messages_in SET status = 'pending'`).run(),
    );
    await setup.settlement.giveUp(setup.session, 'no way');
    expect(setup.store.deadLetters.find(letter)?.reason).toBe('no way');
    expect(setup.events()).toEqual(['message.failed m-1: no way']);
  });

  it('there are none of messages and replies that go their way', async () => {
    await setup.post(setup.session, 'm-1');
    setup.runner.claim('m-1');
    setup.runner.say('a-1', { inReplyTo: 'm-1' });
    setup.runner.complete('m-1');
    await setup.deliver();
    expect(setup.texts()).toEqual(['a-1']);
    expect(setup.describe()).toEqual({ 'm-1': 'completed 0' });
    expect(setup.events()).toEqual([]);
  });
});
