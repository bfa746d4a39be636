import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { idFrom } from '../../shared/base/ids.js';
import { deleteSession } from '../../test/fakes/session-rows.js';
import { nudgesWith } from '../../test/fakes/nudges.js';
import { SettlingSetup } from '../../test/fakes/settling-setup.js';
import { messagingGroupIdFor } from '../store/messaging-groups.js';
import { dropQuestions, withdrawQuestions } from '../sessions/question-ends.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { QuestionExpiry } from './question-expiry.js';

const minute = 60_000;

describe('a question that nobody answers', () => {
  let setup: SettlingSetup;
  let expiry: QuestionExpiry;
  let woken: string[];

  beforeEach(() => {
    setup = new SettlingSetup();
    woken = [];
    expiry = new QuestionExpiry({
      store: setup.store,
      mailbox: setup.mailbox,
      sessions: new SessionRegistry(setup),
      clock: setup.clock,
      log: setup.log,
      nudges: nudgesWith({ container: (id) => woken.push(id) }),
    });
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function ask(id: string, inMs: number): void {
    setup.store.questions.insert({
      ...{ id, sessionId: setup.session.id, messageOutId: 'o-1', text: 'Which\ncolour?' },
      address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
      ...{ options: ['red'], freeText: false, askedUser: null },
      expiresAt: setup.clock.iso(inMs),
      createdAt: setup.clock.iso(),
    });
    setup.store.dueItems.advance(setup.session.id, 'question', setup.clock.iso(inMs));
  }

  async function check(): Promise<void> {
    expiry.nudge(setup.session.id);
    await expiry.idle();
  }

  function told(): readonly string[] {
    return setup.messagesIn(setup.session.id).map(({ content }) => {
      const { event, text } = JSON.parse(content) as { event: string; text: string };
      return `${event}: ${text}`;
    });
  }

  const dueIn = (): number | undefined => {
    const due = setup.store.dueItems.find(setup.session.id, 'question');
    return due === undefined ? undefined : Date.parse(due.dueAt) - setup.clock.now();
  };

  it('ends at its time: its agent is told once, and woken', async () => {
    ask('q-1', minute);
    ask('q-2', 2 * minute);
    await check();
    expect(told()).toEqual([]);
    expect(dueIn()).toBe(minute);
    setup.clock.advance(minute);
    await check();
    await check();
    expect(told()).toEqual(['question.expired: Nobody answered in time: “Which colour?”.']);
    expect(woken).toEqual([setup.session.id]);
    expect(setup.store.dueItems.find(setup.session.id, 'wake')).toBeDefined();
    expect(dueIn()).toBe(minute);
    setup.clock.advance(minute);
    await check();
    expect(told()).toHaveLength(2);
    expect(dueIn()).toBeUndefined();
  });

  it('is told once also where the daemon dies in the middle', async () => {
    ask('q-1', minute);
    setup.clock.advance(minute);
    setup.store.questions.claim('q-1', 'expired');
    await check();
    ask('q-1', 0);
    await check();
    expect(told()).toHaveLength(1);
  });

  it('waits for an answer that is being written, and ends where none was', async () => {
    ask('q-1', minute);
    setup.store.questions.claim('q-1', 'message p-1');
    setup.clock.advance(minute);
    await check();
    expect(told()).toEqual([]);
    expect(dueIn()).toBe(5_000);
    setup.clock.advance(minute);
    await check();
    expect(told()).toHaveLength(1);
  });

  it('was answered where the daemon died before that was noted', async () => {
    ask('q-1', minute);
    setup.store.questions.claim('q-1', 'message p-1');
    const answer = idFrom('m', messagingGroupIdFor('fake', 'chat-1'), 'p-1');
    await setup.post(setup.session, answer);
    setup.clock.advance(2 * minute);
    await check();
    expect(setup.store.questions.find('q-1')).toBeUndefined();
    expect(told()).toEqual([expect.not.stringContaining('question.expired')]);
  });

  it('holds nothing up where its session is deleted meanwhile', async () => {
    ask('q-1', minute);
    setup.clock.advance(minute);
    expiry.nudge(setup.session.id);
    deleteSession(setup.store, setup.session.id);
    await expiry.idle();
    expect(setup.store.sessions.find(setup.session.id)).toBeUndefined();
  });

  it('is withdrawn where its agent answers the chat no more: chat and agent are told', async () => {
    ask('q-1', minute);
    const other = setup.addAgentGroup();
    const chat = { channelType: 'fake', platformId: 'chat-1' };
    withdrawQuestions(setup.store, { ...chat, agentGroupId: other.id }, setup.clock.iso());
    expect(setup.notices()).toEqual([]);
    const { agentGroupId } = setup.session;
    withdrawQuestions(setup.store, { ...chat, agentGroupId }, setup.clock.iso());
    expect(dueIn()).toBe(0);
    await check();
    expect(told()).toEqual([expect.stringMatching(/^question\.withdrawn: Nobody can answer/)]);
    expect(setup.notices().map(({ text }) => text)).toEqual([
      'The question “Which colour?” needs no answer any more: its agent answers this chat no more.',
    ]);
  });

  it('ends with its conversation, and the chat is told', async () => {
    ask('q-1', minute);
    dropQuestions(setup.store, setup.session.id, setup.clock.iso());
    expect(setup.notices()).toHaveLength(1);
    expect(dueIn()).toBeUndefined();
    setup.clock.advance(minute);
    await check();
    expect(told()).toEqual([]);
  });
});
