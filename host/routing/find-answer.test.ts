import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RoutingSetup } from '../../test/fakes/routing-setup.js';
import type { Question } from '../store/messages/questions.js';
import type { AgentGroup } from '../store/agent-groups.js';

describe('a message that may answer a question', () => {
  let setup: RoutingSetup;
  let group: AgentGroup;
  let sessionId: string;

  beforeEach(async () => {
    setup = new RoutingSetup();
    group = setup.addAgentGroup();
    setup.addWiring(setup.addChat(), group);
    await setup.router.route(setup.event('hello'));
    [sessionId = ''] = setup.sessionsOf(group.id);
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function ask(id: string, more: Partial<Question> = {}, isSaid = true): void {
    setup.clock.advance(1);
    setup.store.questions.insert({
      ...{ id, sessionId, messageOutId: `o-${id}`, text: `${id}?`, options: ['red', 'blue'] },
      address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
      ...{ freeText: false, askedUser: null, expiresAt: setup.clock.iso(60_000) },
      createdAt: setup.clock.iso(),
      ...more,
    });
    if (isSaid) setup.store.questions.noteSaid(id, setup.clock.iso());
  }

  /** The rows after the first: `chat hello`, `system q-1 red`. */
  function received(): readonly string[] {
    return setup
      .messagesIn(sessionId)
      .slice(1)
      .map(({ kind, content }) => {
        const { text, result } = JSON.parse(content) as {
          text: string;
          result?: { questionId: string; option: string | null; text: string };
        };
        if (result === undefined) return `${kind} ${text}`;
        return `${kind} ${result.questionId} ${result.option ?? `“${result.text}”`}`;
      });
  }

  const openIds = (): readonly string[] =>
    setup.store.questions.listForSession(sessionId).map(({ id }) => id);

  it('goes to the agent that asked, as an answer, and wakes it', async () => {
    ask('q-1');
    setup.posted.length = 0;
    const outcome = await setup.router.route(setup.event('2'));
    expect(outcome).toMatchObject({ kind: 'accepted', contextOnly: false });
    expect(received()).toEqual(['system q-1 blue']);
    expect(setup.posted).toEqual([sessionId]);
    expect(openIds()).toEqual([]);
    const row = setup.messagesIn(sessionId).at(-1);
    expect(JSON.parse(row?.content ?? '')).toMatchObject({
      event: 'question.answered',
      text: 'user-1 answered “q-1?” with: blue',
      requestId: 'o-q-1',
    });
  });

  it('is an ordinary message where it is none, and where the question has ended', async () => {
    ask('q-1');
    await setup.router.route(setup.event('which ones are there?'));
    setup.clock.advance(60_001);
    await setup.router.route(setup.event('red'));
    expect(received()).toEqual(['chat which ones are there?', 'chat red']);
  });

  it('answers no question that waits to be said, unless it names it', async () => {
    ask('q-1', { freeText: true }, false);
    await setup.router.route(setup.event('what is the weather?'));
    expect(received()).toEqual(['chat what is the weather?']);
    await setup.router.route(setup.event('red', { answers: 'q-1' }));
    expect(received().at(-1)).toBe('system q-1 red');
  });

  it('answers nothing where its sender may not speak to the agent', async () => {
    const [wiring] = setup.store.wirings.listForAgentGroup(group.id);
    setup.store.wirings.update({ ...wiring!, responseScope: 'allowlisted' });
    setup.store.messagingGroups.allowSender(wiring!.messagingGroupId, 'ann', setup.clock.iso());
    ask('q-1', { freeText: true });
    expect(await setup.router.route(setup.event('psst'))).toMatchObject({ kind: 'refused' });
    expect(openIds()).toEqual(['q-1']);
    await setup.router.route(setup.event('blue', { sender: { id: 'ann' } }));
    expect(received()).toEqual(['system q-1 blue']);
  });

  it('leaves nothing due where it answers the last question', async () => {
    ask('q-1');
    setup.store.dueItems.advance(sessionId, 'question', setup.clock.iso(60_000));
    await setup.router.route(setup.event('red'));
    expect(setup.store.dueItems.find(sessionId, 'question')).toBeUndefined();
  });

  it('answers the latest of several, and each question once', async () => {
    ask('q-1');
    ask('q-2');
    for (const text of ['red', 'blue', 'red']) await setup.router.route(setup.event(text));
    expect(received()).toEqual(['system q-2 red', 'system q-1 blue', 'chat red']);
  });

  it('is taken once where several answer at the same moment', async () => {
    ask('q-1');
    await Promise.all(['red', 'blue'].map((text) => setup.router.route(setup.event(text))));
    expect(received()).toEqual(['system q-1 red', 'chat blue']);
  });

  it('is known when it is said again', async () => {
    ask('q-1');
    const event = setup.event('red');
    await setup.router.route(event);
    ask('q-2');
    expect(await setup.router.route(event)).toMatchObject({ kind: 'duplicate' });
    expect(received()).toEqual(['system q-1 red']);
    expect(openIds()).toEqual(['q-2']);
  });

  it('is the same answer where the daemon died before it was recorded', async () => {
    ask('q-1');
    const event = setup.event('red');
    setup.store.questions.claim('q-1', `message ${event.platformMessageId}`);
    await setup.router.route(setup.event('blue'));
    await setup.router.route(event);
    expect(received()).toEqual(['chat blue', 'system q-1 red']);
  });

  it('may name the question: then it is refused where it cannot answer it', async () => {
    ask('q-1', { askedUser: 'user-1' });
    const answer = (text: string, more: object = {}) =>
      setup.router.route(setup.event(text, { answers: 'q-1', ...more }));
    expect(await answer('green')).toEqual({
      kind: 'refused',
      reason: 'that question has the answers red, blue',
    });
    expect(await answer('red', { sender: { id: 'user-2' } })).toEqual({
      kind: 'refused',
      reason: 'that question is for somebody else',
    });
    expect(await answer('red')).toMatchObject({ kind: 'accepted' });
    expect(await answer('red')).toEqual({
      kind: 'refused',
      reason: 'that question is not open here',
    });
    expect(received()).toEqual(['system q-1 red']);
  });

  it('answers no question of another chat', async () => {
    ask('q-1');
    const elsewhere = setup.event('red', { platformId: 'chat-2', answers: 'q-1' });
    const refused = { kind: 'refused', reason: 'that question is not open here' };
    expect(await setup.router.route(elsewhere)).toEqual(refused);
    expect(openIds()).toEqual(['q-1']);
  });

  it('finds the question open again where its answer could not be written', async () => {
    ask('q-1');
    setup.inbound(sessionId, (db) => {
      db.exec('ALTER TABLE messages_in RENAME TO other');
    });
    await expect(setup.router.route(setup.event('red'))).rejects.toThrow();
    expect(setup.store.questions.find('q-1')?.claimedBy).toBeNull();
  });
});
