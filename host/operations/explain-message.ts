/** Explains one message: who took it, what became of it, and what it waits for. */
import { shellWord } from '../../shared/base/shell-words.js';
import { failuresInRound } from '../sessions/retry-policy.js';
import { retryLimitsOf } from '../sessions/settlement/retry-limits.js';
import type { DeadLetter } from '../store/messages/dead-letters.js';
import type { SaidNotice } from '../store/messages/notices.js';
import type { ReceivedMessage, Verdict } from '../store/messages/received-messages.js';
import type { SessionEvent } from '../store/session-events.js';
import type { Store } from '../store/store.js';
import type { DatabaseScope } from './operation.js';
import { chatName } from './references.js';
import {
  countOf,
  endSentence,
  happeningOf,
  waitFor,
  type Explanation,
  type Happening,
  type Wait,
} from './explanation.js';
import { agentName, gatherSession } from './gather-session.js';
import { decideReplyWaits, decideSessionWaits, type SessionFacts } from './session-waits.js';

const shownEvents = 30;

export function explainMessage(
  scope: DatabaseScope,
  messageId: string,
  received: ReceivedMessage | undefined,
): Explanation {
  const { store } = scope;
  const events = store.events.listForMessage(messageId, shownEvents);
  const letters = store.deadLetters.listForMessage(messageId);
  const notices = store.notices.listAbout(messageId);
  const chat = nameChat(scope, received?.messagingGroupId ?? findChatId(scope, events, letters));
  const now =
    received === undefined
      ? explainUnreceived(scope, messageId, { events, letters })
      : explainVerdicts(scope, received, chat);
  const came: readonly Happening[] =
    received === undefined
      ? []
      : [{ at: received.receivedAt, what: `It came from ${chat}.`, until: null }];
  return {
    kind: 'message',
    id: messageId,
    title: `The message ${messageId} of ${chat}`,
    now,
    happened: [...came, ...events.map(happeningOf), ...notices.map(toldOf)].toSorted(byTime),
  };
}

/** Of a message that no platform is known to have brought. */
function findChatId(
  { store }: DatabaseScope,
  events: readonly SessionEvent[],
  letters: readonly DeadLetter[],
): string {
  const last = events.at(-1);
  const session = store.sessions.find(last?.sessionId ?? letters[0]?.sessionId ?? '');
  return last?.messagingGroupId ?? session?.messagingGroupId ?? '';
}

function nameChat({ store }: DatabaseScope, messagingGroupId: string): string {
  const chat = store.messagingGroups.find(messagingGroupId);
  return chat === undefined ? 'a chat that is not known' : chatName(chat);
}

function byTime(a: Happening, b: Happening): number {
  return a.at < b.at ? -1 : Number(a.at > b.at);
}

const noticeWords: Readonly<Record<SaidNotice['status'], string>> = {
  pending: 'Its chat is to be told',
  sending: 'Its chat is being told',
  sent: 'Its chat was told',
  failed: 'Its chat could not be told',
};

function toldOf({ text, status, createdAt }: SaidNotice): Happening {
  return { at: createdAt, what: `${noticeWords[status]}: “${text}”`, until: null };
}

function explainVerdicts(
  scope: DatabaseScope,
  { messageId, verdicts }: ReceivedMessage,
  chat: string,
): readonly Wait[] {
  if (verdicts.length === 0) {
    return [
      waitFor('Nobody got it: no agent is wired to its chat. It waits for nothing.', {
        next: `\`berth wirings create ${shellWord(chat)} AGENT-GROUP\` wires one (\`berth agent-groups list\`); then it must be sent again.`,
      }),
    ];
  }
  return verdicts.flatMap((verdict) => explainVerdict(scope, messageId, verdict, chat));
}

function explainVerdict(
  scope: DatabaseScope,
  messageId: string,
  { agentGroupId, verdict, reason = 'its rules say so', sessionId }: Verdict,
  chat: string,
): readonly Wait[] {
  const agent = agentName(scope, agentGroupId);
  switch (verdict) {
    case 'refused':
      return [
        waitFor(`${agent} has left it: ${endSentence(reason)} It waits for nothing.`, {
          next: `\`berth wirings test ${shellWord(chat)} TEXT\` says what ${agent} would take.`,
        }),
      ];
    case 'context':
      return [
        waitFor(
          `${agent} does not answer it, and reads it with its next turn: ${endSentence(reason)}`,
          { session: sessionId ?? null },
        ),
      ];
    case 'engaged':
      return explainInSession(scope, messageId, sessionId ?? '', agent);
  }
}

function explainInSession(
  scope: DatabaseScope,
  messageId: string,
  sessionId: string,
  agent: string,
): readonly Wait[] {
  const { store } = scope;
  const about = { session: sessionId };
  const session = store.sessions.find(sessionId);
  if (session === undefined) {
    return [waitFor(`${agent} had it in a conversation that was deleted.`, about)];
  }
  const letter = store.deadLetters.find({ sessionId, direction: 'in', messageId });
  if (letter !== undefined) return [waitOfLetter(letter, agent)];
  const facts = gatherSession(scope, session, messageId);
  const status = statusOf(facts);
  switch (status) {
    case 'pending':
      return explainPending(facts, agent, describeTry(store, facts, messageId));
    case 'completed':
      return [
        waitFor(`${agent} has answered it, or had nothing to say.`, {
          ...about,
          next: `\`berth sessions messages ${sessionId}\` shows what was said.`,
        }),
        ...decideReplyWaits(facts),
      ];
    case 'failed':
      return [
        waitFor(`${agent} has not answered it; it was given up, and that was purged.`, about),
      ];
    case 'cancelled':
      return [waitFor(`${agent} did not come to it: it was taken back.`, about)];
    case 'context':
      return [waitFor(`${agent} reads it with its next turn, and does not answer it.`, about)];
    case 'unreadable':
      return decideSessionWaits(facts);
    case undefined:
      return [
        waitFor(`${agent} had it, and it is not in the files of its session any more.`, {
          ...about,
          next: `See \`berth explain ${sessionId}\`.`,
        }),
      ];
  }
}

function statusOf({ inbound }: SessionFacts) {
  if (inbound === undefined) return undefined;
  return 'problem' in inbound ? 'unreadable' : inbound.asked?.status;
}

/** It may have a time of its own, behind others that are due now. */
function explainPending(facts: SessionFacts, agent: string, nextTry: string): readonly Wait[] {
  const { inbound, now, session } = facts;
  const asked = inbound !== undefined && 'asked' in inbound ? inbound.asked : undefined;
  const processAfter = asked?.processAfter ?? null;
  if (asked === undefined || processAfter === null || processAfter <= now) {
    return decideSessionWaits({ ...facts, tasks: [], givenUp: { in: 0, out: 0 } });
  }
  const failed =
    asked.tries > 0
      ? `${agent} has failed at it. ${nextTry}`
      : `${agent} is given it when its time has come.`;
  const next = `See \`berth logs --session ${session.id}\`.`;
  return [waitFor(failed, { until: processAfter, next, session: session.id })];
}

/** `Try 2 of 5 follows by itself, after: The message asked to fail.` */
function describeTry(store: Store, { session, inbound }: SessionFacts, messageId: string): string {
  const tries = (inbound !== undefined && 'asked' in inbound ? inbound.asked?.tries : 0) ?? 0;
  const limits = retryLimitsOf(store, session);
  const said = `Try ${failuresInRound(tries, limits) + 1} of ${limits.tries} follows by itself`;
  const why = store.events
    .listForMessage(messageId, shownEvents)
    .findLast(({ name }) => name === 'message.retried')?.detail.why;
  return why === undefined ? `${said}.` : endSentence(`${said}, after: ${why}`);
}

function waitOfLetter(
  { sessionId, messageId, direction, reason, maybeSent }: DeadLetter,
  agent: string,
): Wait {
  const what =
    direction === 'in'
      ? `It was given up, and ${agent} did not answer it: ${endSentence(reason)}`
      : `It was given up and not delivered: ${endSentence(reason)}${maybeSent ? ' It may have arrived all the same.' : ''}`;
  return waitFor(what, {
    session: sessionId,
    next: `\`berth dead-letters retry ${messageId}\` tries it again.`,
  });
}

/** A task's run, a reply, a message that was not taken, or one that came too long ago. */
function explainUnreceived(
  scope: DatabaseScope,
  messageId: string,
  known: { readonly events: readonly SessionEvent[]; readonly letters: readonly DeadLetter[] },
): readonly Wait[] {
  const { store } = scope;
  const { events, letters } = known;
  if (letters.length > 0) {
    return letters.map((letter) => {
      const session = store.sessions.find(letter.sessionId);
      return waitOfLetter(letter, agentName(scope, session?.agentGroupId ?? 'its agent'));
    });
  }
  const last = events.at(-1);
  if (last?.name === 'message.refused') {
    const next = 'Send it again; a channel that repeats what was not taken does so by itself.';
    return [
      waitFor(`Nobody got it: ${endSentence(last.detail.why ?? 'it was not taken')}`, { next }),
    ];
  }
  const session = store.sessions.find(last?.sessionId ?? '');
  if (session === undefined) return [waitFor('Nothing waits for it any more.')];
  const isReply = last?.name.startsWith('reply.') === true;
  const retry = store.deliveryRetries.list(session.id).get(messageId);
  if (isReply && retry === undefined) {
    return [
      waitFor('It was sent after all, or waits with its session.', {
        session: session.id,
        next: `See \`berth explain ${session.id}\`.`,
      }),
    ];
  }
  if (retry !== undefined) {
    const what = `It could not be sent (${countOf(retry.attempts, 'time')}): ${endSentence(retry.reason)} It is sent again by itself.`;
    return [waitFor(what, { until: retry.dueAt, session: session.id })];
  }
  return explainInSession(scope, messageId, session.id, agentName(scope, session.agentGroupId));
}
