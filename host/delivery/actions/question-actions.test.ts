import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeliverySetup } from '../../../test/fakes/delivery-setup.js';

describe('a question to a person', () => {
  let setup: DeliverySetup;

  beforeEach(() => {
    setup = new DeliverySetup();
    setup.addWiring(setup.chat, setup.agentGroup);
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function ask(id: string, parameters: object): void {
    const content = { action: 'ask_user_question', parameters };
    setup.runner.sayContent(id, content, { kind: 'system', inReplyTo: 'm-1' });
  }

  function answers(): readonly string[] {
    return setup.inbound(setup.session.id, (db) =>
      db
        .prepare<[], string>(
          "SELECT status || ' ' || (content ->> 'text') FROM messages_in ORDER BY seq",
        )
        .pluck()
        .all(),
    );
  }

  const questions = () => setup.store.questions.listForSession(setup.session.id);

  it('has its place among what the agent says, with options as numbers and as data', async () => {
    setup.runner.say('I looked at both.');
    ask('o-1', { question: 'Which colour?', options: ['red', 'blue'], expiresInMinutes: 5 });
    setup.runner.say('Take your time.');
    await setup.deliver();
    const asked = 'Which colour?\n1. red\n2. blue\n(A number, or one of these.)';
    expect(setup.texts()).toEqual(['I looked at both.', asked, 'Take your time.']);
    const [question] = questions();
    const { id, expiresAt } = question!;
    expect(setup.channel.sent[1]).toMatchObject({
      messageId: 'o-1',
      inReplyTo: 'm-1',
      question: { id, options: ['red', 'blue'], freeText: false, expiresAt },
    });
    expect(expiresAt).toBe(setup.clock.iso(5 * 60_000));
    expect(setup.store.dueItems.find(setup.session.id, 'question')?.dueAt).toBe(expiresAt);
    expect(setup.deliveries(setup.session.id)).toMatchObject({ 'o-1': 'delivered' });
    expect(answers()).toEqual([
      `context Asked. The answer comes as a message; nobody answers after ${expiresAt}.`,
    ]);
  });

  it('is asked once, also where the daemon dies before it is noted that it was sent', async () => {
    ask('o-1', { question: 'Well?' });
    setup.channel.willAnswer({ kind: 'failed', reason: 'not now', retryable: true });
    await setup.deliver();
    expect(setup.texts()).toEqual([]);
    expect(questions()).toMatchObject([{ text: 'Well?', freeText: true }]);
    setup.rebuild();
    setup.clock.advance(5_000);
    await setup.deliver();
    expect(setup.texts()).toEqual(['Well?']);
    expect(questions()).toHaveLength(1);
    setup.rebuild();
    await setup.deliver();
    expect(setup.texts()).toEqual(['Well?']);
  });

  it.each([
    [
      'nothing to choose and no free text',
      { question: 'Well?', freeText: false },
      'A question has',
    ],
    ['an option twice', { question: 'Well?', options: ['a', 'A'] }, 'Two of the options'],
    ['no question', { options: ['a'] }, 'The parameters of ask_user_question'],
  ])('is refused with %s', async (_what, parameters, expected) => {
    ask('o-1', parameters);
    await setup.deliver();
    expect(answers()).toEqual([expect.stringContaining(`pending ${expected}`)]);
    expect(setup.texts()).toEqual([]);
    expect(questions()).toEqual([]);
  });

  it('is not asked any more where it has ended before it could be said', async () => {
    ask('o-1', { question: 'Well?' });
    setup.channel.willAnswer({ kind: 'failed', reason: 'not now', retryable: true });
    await setup.deliver();
    const [question] = questions();
    expect(question).toMatchObject({ saidAt: null });
    setup.store.questions.delete(question?.id ?? '');
    setup.clock.advance(5_000);
    await setup.deliver();
    expect(setup.texts()).toEqual([]);
    expect(setup.deliveries(setup.session.id)).toMatchObject({ 'o-1': 'failed' });
  });

  it('is noted as said when its chat has it', async () => {
    ask('o-1', { question: 'Well?' });
    await setup.deliver();
    expect(questions()).toMatchObject([{ saidAt: setup.clock.iso() }]);
  });

  it('goes to no chat that the agent may not write to', async () => {
    const address = { channelType: 'fake', platformId: 'elsewhere', threadId: null };
    const content = { action: 'ask_user_question', parameters: { question: 'Well?' } };
    setup.runner.sayContent('o-1', content, { kind: 'system', address });
    await setup.deliver();
    expect(answers()).toEqual([expect.stringContaining('no chat with people')]);
    expect(questions()).toEqual([]);
  });

  it('is asked in no other conversation, though its agent may write there', async () => {
    const elsewhere = setup.addWiredChat('chat-2');
    const content = { action: 'ask_user_question', parameters: { question: 'Your secret?' } };
    setup.runner.sayContent('o-1', content, { kind: 'system', address: elsewhere });
    await setup.deliver();
    expect(answers()).toEqual([expect.stringContaining('only the chat of this conversation')]);
    expect(setup.texts()).toEqual([]);
    expect(questions()).toEqual([]);
  });

  it('waits with nineteen others, and not with more', async () => {
    for (let n = 1; n <= 21; n += 1) {
      const content = { action: 'ask_user_question', parameters: { question: `${n}?` } };
      setup.runner.sayContent(`o-${n}`, content, { kind: 'system', inReplyTo: `m-${n}` });
    }
    await setup.deliver();
    expect(questions()).toHaveLength(20);
    expect(answers().at(-1)).toContain('20 questions wait');
  });
});
