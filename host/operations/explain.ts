/** Says of a session, a chat or a message what happened to it and what it waits for now, in plain words. */
import { z } from 'zod';
import { shellWord } from '../../shared/base/shell-words.js';
import { askerOf } from '../sessions/agent-conversation.js';
import type { MessagingGroup } from '../store/messaging-groups.js';
import type { ReceivedMessage } from '../store/messages/received-messages.js';
import type { EventName } from '../store/session-events.js';
import type { Session } from '../store/sessions.js';
import { onDatabase, type DatabaseScope } from './operation.js';
import { chatName } from './references.js';
import { explainMessage } from './explain-message.js';
import {
  countOf,
  endSentence,
  happeningOf,
  waitFor,
  type Explanation,
  type Happening,
  type Wait,
} from './explanation.js';
import { findSubject } from './find-subject.js';
import { agentName, gatherSession } from './gather-session.js';
import { decideSessionWaits } from './session-waits.js';

const shownEvents = 30;
const shownMessages = 10;
const shownSessions = 10;

const beginnings: readonly EventName[] = [
  'session.created',
  'session.prewarmed',
  'session.adopted',
];

export const explain = onDatabase({
  name: 'berth.explain',
  summary: 'Says what happened to a session, a chat or a message, and what it waits for now.',
  input: z.object({
    /** A session's id or its beginning, `channel:id` of a chat, or a message's id: Berth's or its platform's. */
    subject: z.string(),
    /** The chat of the message, where its platform's id alone is not enough. */
    chat: z.string().optional(),
  }),
  effect: 'reads',
  run: (scope, { subject: reference, chat }): Explanation => {
    const subject = findSubject(scope.store, reference, chat);
    switch (subject.kind) {
      case 'session':
        return explainSession(scope, subject.session);
      case 'removed-session':
        return explainRemoved(scope, subject.id);
      case 'chat':
        return explainChat(scope, subject.chat);
      case 'message':
        return explainMessage(scope, subject.messageId, subject.received);
    }
  },
});

function explainSession(scope: DatabaseScope, session: Session): Explanation {
  const { store } = scope;
  const chat = store.messagingGroups.find(session.messagingGroupId ?? '');
  const asker = askerOf(session);
  const others = asker === undefined ? 'all chats of its agent' : `work for the session ${asker}`;
  const where = chat === undefined ? others : chatName(chat);
  const thread =
    session.threadId === null || asker !== undefined ? '' : `, thread ${session.threadId}`;
  const events = store.events.listForSession(session.id, shownEvents);
  // Its first events may be forgotten, or it may be older than they are.
  const began = { at: session.createdAt, what: 'It was made.', until: null };
  const hasBegun = events.some(({ name }) => beginnings.includes(name));
  return {
    kind: 'session',
    id: session.id,
    title: `The session ${session.id} of ${agentName(scope, session.agentGroupId)} in ${where}${thread}`,
    now: decideSessionWaits(gatherSession(scope, session)),
    happened: [...(hasBegun ? [] : [began]), ...events.map(happeningOf)],
  };
}

function explainRemoved({ store }: DatabaseScope, id: string): Explanation {
  const what = 'It was deleted, with its files, and waits for nothing.';
  return {
    kind: 'session',
    id,
    title: `The session ${id}`,
    now: [waitFor(what, { session: id })],
    happened: store.events.listForSession(id, shownEvents).map(happeningOf),
  };
}

function explainChat(scope: DatabaseScope, chat: MessagingGroup): Explanation {
  const { store } = scope;
  const name = chatName(chat);
  const messages = store.received.listNewest(chat.id, shownMessages);
  const isReceived = new Set(messages.map(({ messageId }) => messageId));
  const events = store.events
    .listForChat(chat.id, shownEvents)
    .filter(({ messageId }) => messageId === null || !isReceived.has(messageId));
  const happened = [
    ...messages.map((message) => describeReceived(scope, message)),
    ...events.map((event) => {
      const { what, ...rest } = happeningOf(event);
      return { ...rest, what: event.messageId === null ? what : `${what} (${event.messageId})` };
    }),
  ];
  return {
    kind: 'chat',
    id: name,
    title: `The chat ${name}`,
    now: [...waitsOfChat(scope, chat), ...waitsOfNotices(scope, chat)],
    happened: happened.toSorted((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at))),
  };
}

function waitsOfChat(scope: DatabaseScope, chat: MessagingGroup): readonly Wait[] {
  const { store } = scope;
  const wirings = store.wirings.listForMessagingGroup(chat.id);
  if (wirings.length === 0) {
    const next = `\`berth wirings create ${shellWord(chatName(chat))} AGENT-GROUP\` wires one (\`berth agent-groups list\`).`;
    return [waitFor('No agent is wired to it: nobody answers there.', { next })];
  }
  const agents = wirings.map(({ agentGroupId }) => agentName(scope, agentGroupId)).join(', ');
  const active = store.sessions.list({ status: 'active', messagingGroupId: chat.id });
  const shared = store.sessions
    .list({ status: 'active' })
    .filter(
      (session) =>
        session.messagingGroupId === null &&
        askerOf(session) === undefined &&
        wirings.some((one) => one.agentGroupId === session.agentGroupId),
    );
  const sessions = [...active, ...shared];
  const waits = sessions
    .slice(0, shownSessions)
    .flatMap((session) => decideSessionWaits(gatherSession(scope, session)));
  const answers = waitFor(
    `It is answered by ${agents}, in ${countOf(sessions.length, 'session')}.`,
    {
      next: `\`berth wirings test ${shellWord(chatName(chat))} TEXT\` says who would take a message.`,
    },
  );
  return [answers, ...waits];
}

function waitsOfNotices({ store }: DatabaseScope, chat: MessagingGroup): readonly Wait[] {
  const { count, dueAt } = store.notices.findWaiting(chat.channelType, chat.platformId);
  if (count === 0) return [];
  const what = `It is still to be told of ${countOf(count, 'thing')}`;
  // The last year that there is stands for no time.
  return dueAt?.startsWith('9999') === true
    ? [waitFor(`${what}, when somebody listens there.`)]
    : [waitFor(`${what}.`, { until: dueAt })];
}

function describeReceived(
  scope: DatabaseScope,
  { messageId, receivedAt, verdicts }: ReceivedMessage,
): Happening {
  const who = verdicts.map(({ agentGroupId, verdict, reason }) => {
    const agent = agentName(scope, agentGroupId);
    if (verdict === 'engaged') return `${agent} took it`;
    const how = verdict === 'context' ? 'keeps it as context' : 'left it';
    return reason === undefined ? `${agent} ${how}` : `${agent} ${how}: ${reason}`;
  });
  const what = who.length === 0 ? 'no agent is wired to this chat' : who.join('; ');
  return { at: receivedAt, what: `${messageId}: ${endSentence(what)}`, until: null };
}
