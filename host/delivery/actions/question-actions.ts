/** Agents ask people. */
import { z } from 'zod';
import { isoAt } from '../../../shared/base/clock.js';
import { BerthError } from '../../../shared/base/errors.js';
import { idFrom } from '../../../shared/base/ids.js';
import type { Address } from '../../../shared/protocol/session-message.js';
import { comparableAnswer } from '../../sessions/question-answers.js';
import { agentChannelType } from '../../sessions/agent-conversation.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { Question } from '../../store/messages/questions.js';
import { action } from './action.js';

const mostOptions = 20;
/** Of a session. */
const mostOpen = 20;
const defaultMinutes = 24 * 60;
const mostMinutes = 30 * 24 * 60;
const minuteMs = 60_000;

export const askUserQuestion = action({
  name: 'ask_user_question',
  summary: 'Asks a person in the chat; the answer comes as a message, and wakes the agent.',
  parameters: z.strictObject({
    question: z.string().trim().min(1).max(4_000),
    /** Labels to choose from. A person writes one, or its number. */
    options: z.array(z.string().trim().min(1).max(200)).max(mostOptions).default([]),
    /** Whether any text is an answer; left out: where there is nothing to choose. */
    freeText: z.boolean().optional(),
    /** The person who may answer, by the platform's id; left out: anybody in the chat. */
    askedUser: z.string().min(1).max(1_024).optional(),
    expiresInMinutes: z.number().min(1).max(mostMinutes).default(defaultMinutes),
  }),
  isQuestion: false,
  run: ({ store, clock }, parameters, { session, rowId, address, note }) => {
    const { question: text, options, askedUser = null, expiresInMinutes } = parameters;
    if (address === undefined || address.channelType === agentChannelType) {
      throw new BerthError('invalid_input', 'This conversation has no chat with people.', {
        next: 'Answer the agent that asked, and say there what is missing.',
      });
    }
    assertOwnChat(store, session, address);
    assertDistinct(options);
    if (store.questions.listForSession(session.id).length >= mostOpen) {
      throw new BerthError('invalid_input', `${mostOpen} questions wait for an answer already.`);
    }
    const freeText = parameters.freeText ?? options.length === 0;
    if (!freeText && options.length === 0) {
      throw new BerthError('invalid_input', 'A question has options, or takes any text.');
    }
    const now = clock.now();
    const expiresAt = isoAt(now + expiresInMinutes * minuteMs);
    const id = idFrom('q', session.id, rowId);
    const question: Question = {
      ...{ id, sessionId: session.id, messageOutId: rowId, address, text, options, freeText },
      ...{ askedUser, expiresAt, createdAt: isoAt(now) },
    };
    const outcome = {
      isDone: true,
      text: `Asked. The answer comes as a message; nobody answers after ${expiresAt}.`,
      result: { questionId: id },
      post: { text: renderQuestion(question), question: { id, options, freeText, expiresAt } },
    };
    store.transaction(() => {
      store.questions.insert(question);
      store.dueItems.advance(session.id, 'question', expiresAt);
      const of = { sessionId: session.id, messagingGroupId: session.messagingGroupId };
      store.events.add({ name: 'question.asked', ...of, messageId: rowId }, isoAt(now));
      note(outcome);
    });
    return Promise.resolve(outcome);
  },
});

/** A question takes the messages that answer it: it must not take those of another conversation. */
function assertOwnChat(
  { messagingGroups, wirings }: Store,
  { agentGroupId, messagingGroupId, threadId }: Session,
  address: Address,
): void {
  const chat = messagingGroups.findByPlatform(address.channelType, address.platformId);
  const isOwn =
    messagingGroupId === null
      ? chat !== undefined &&
        wirings
          .listForMessagingGroup(chat.id)
          .some((one) => one.agentGroupId === agentGroupId && one.sessionMode === 'agent-shared')
      : chat?.id === messagingGroupId && (threadId === null || threadId === address.threadId);
  if (isOwn) return;
  throw new BerthError('invalid_input', 'A question goes to only the chat of this conversation.', {
    next: 'Write there what you want to know; the answer belongs to the conversation there.',
  });
}

function assertDistinct(options: readonly string[]): void {
  const labels = new Set(options.map(comparableAnswer));
  if (labels.size === options.length) return;
  throw new BerthError('invalid_input', 'Two of the options are the same.');
}

/** For chats that show no buttons. */
function renderQuestion({ text, options, freeText }: Question): string {
  if (options.length === 0) return text;
  const lines = options.map((label, index) => `${index + 1}. ${label}`);
  const hint = freeText
    ? '(A number, one of these, or your own words.)'
    : '(A number, or one of these.)';
  return [text, ...lines, hint].join('\n');
}
