/** The end of questions that nobody can answer any more. */
import { takeCharacters } from '../../shared/base/cut-text.js';
import type { StoredQuestion } from '../store/messages/questions.js';
import type { Store } from '../store/store.js';

/**
 * The conversation that asked has ended: its questions end with it, and the chat is told. Called in the transaction that
 * ends it.
 */
export function dropQuestions(store: Store, sessionId: string, now: string): void {
  for (const question of store.questions.listForSession(sessionId)) {
    tellWithdrawn(store, question, 'the conversation that asked has ended', now);
    store.questions.delete(question.id);
    const event = { name: 'question.ended', sessionId, messageId: question.messageOutId } as const;
    store.events.add({ ...event, detail: { why: 'the conversation has ended' } }, now);
  }
  store.dueItems.clear(sessionId, 'question');
}

/** The agents of a group answer a chat no more: their questions there are withdrawn, and they are told too. */
export function withdrawQuestions(
  store: Store,
  { channelType, platformId, agentGroupId }: Withdrawal,
  now: string,
): void {
  for (const question of store.questions.listForChat(channelType, platformId)) {
    const session = store.sessions.find(question.sessionId);
    if (session?.agentGroupId !== agentGroupId) continue;
    if (!store.questions.claim(question.id, 'withdrawn')) continue;
    tellWithdrawn(store, question, 'its agent answers this chat no more', now);
    store.dueItems.set({ sessionId: session.id, kind: 'question', dueAt: now, attempts: 0 });
  }
}

export interface Withdrawal {
  readonly channelType: string;
  readonly platformId: string;
  readonly agentGroupId: string;
}

function tellWithdrawn(
  store: Store,
  { id, address, messageOutId, text }: StoredQuestion,
  why: string,
  now: string,
): void {
  const notice = { id: `withdrawn-${id}`, address, inReplyTo: messageOutId };
  const words = `The question ${quoteQuestion(text)} needs no answer any more: ${why}.`;
  store.notices.insert({ ...notice, text: words }, now);
}

const quotedLength = 60;

/** A question on one line. */
export function quoteQuestion(text: string): string {
  const plain = text.replace(/\s+/g, ' ').trim();
  const { characters, isWhole } = takeCharacters(plain, quotedLength);
  return `“${characters.join('').trimEnd()}${isWhole ? '' : '…'}”`;
}
