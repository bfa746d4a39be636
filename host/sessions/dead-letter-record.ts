import type { DeadLetter, NewDeadLetter } from '../store/messages/dead-letters.js';
import type { EventName } from '../store/session-events.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';

const eventOf: Readonly<Record<DeadLetter['direction'], EventName>> = {
  in: 'message.failed',
  out: 'reply.failed',
};

/**
 * Notes that a message of a session was given up, and the event with it. A letter that is there from before a crash keeps
 * its time, and was told already. Returns the letter as it is kept.
 */
export function recordDeadLetter(
  store: Store,
  { id: sessionId, messagingGroupId }: Pick<Session, 'id' | 'messagingGroupId'>,
  given: Omit<NewDeadLetter, 'sessionId'>,
): DeadLetter {
  const letter = { maybeSent: false, ...given, sessionId };
  return store.transaction(() => {
    const isNew = store.deadLetters.find(letter) === undefined;
    store.deadLetters.insert(letter);
    if (isNew) {
      const { direction, messageId, reason, createdAt } = letter;
      const of = { sessionId, messagingGroupId, messageId };
      store.events.add({ name: eventOf[direction], ...of, detail: { why: reason } }, createdAt);
    }
    return store.deadLetters.find(letter) ?? letter;
  });
}
