/** Finds what a person means by an id or a name: a session, a chat or a message. */
import { BerthError, hasCode } from '../../shared/base/errors.js';
import type { MessagingGroup } from '../store/messaging-groups.js';
import type { ReceivedMessage } from '../store/messages/received-messages.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { chatName, getMessagingGroup, getSession } from './references.js';

export type Subject =
  | { readonly kind: 'session'; readonly session: Session }
  /** Deleted, and its events are still there. */
  | { readonly kind: 'removed-session'; readonly id: string }
  | { readonly kind: 'chat'; readonly chat: MessagingGroup }
  /** `received`: undefined where it came from no platform, or was not taken, or too long ago. */
  | {
      readonly kind: 'message';
      readonly messageId: string;
      readonly received: ReceivedMessage | undefined;
    };

/** Shorter ones would fit by accident. */
const shortestPrefix = 4;
const shownCandidates = 8;

/**
 * `chat`: only messages of that one, as `channel:id` or by its id. Throws not_found, or invalid_input where several
 * things are meant.
 */
export function findSubject(store: Store, reference: string, chat?: string): Subject {
  const within = chat === undefined ? undefined : getMessagingGroup(store, chat);
  const subject =
    within === undefined
      ? (findExact(store, reference) ??
        findMessage(store, reference, undefined) ??
        findByPrefix(store, reference))
      : findMessage(store, reference, within);
  if (subject !== undefined) return subject;
  throw new BerthError('not_found', `Nothing is known of ${JSON.stringify(reference)}.`, {
    next: 'Give a session (`berth sessions list`), a chat like terminal:local (`berth messaging-groups list`), or the id of a message. What is older than some weeks is forgotten.',
  });
}

function findExact(store: Store, reference: string): Subject | undefined {
  const session = store.sessions.find(reference);
  if (session !== undefined) return { kind: 'session', session };
  if (store.events.findLast(reference) !== undefined)
    return { kind: 'removed-session', id: reference };
  const chat = unlessUnknown(() => getMessagingGroup(store, reference));
  return chat === undefined ? undefined : { kind: 'chat', chat };
}

/** By our id, or by the platform's. */
function findMessage(
  store: Store,
  reference: string,
  chat: MessagingGroup | undefined,
): Subject | undefined {
  const isOfChat = ({ messagingGroupId }: ReceivedMessage): boolean =>
    chat === undefined || messagingGroupId === chat.id;
  const [ours] = store.received
    .listByIdPrefix(reference, 1)
    .filter(({ messageId }) => messageId === reference)
    .filter(isOfChat);
  if (ours !== undefined) return messageOf(ours);
  const isKnown =
    store.events.listForMessage(reference, 1).length > 0 ||
    store.deadLetters.listForMessage(reference).length > 0;
  if (isKnown) return { kind: 'message', messageId: reference, received: undefined };
  return pick(store, reference, store.received.listByPlatformId(reference).filter(isOfChat));
}

function findByPrefix(store: Store, reference: string): Subject | undefined {
  const session = unlessUnknown(() => getSession(store, reference));
  if (session !== undefined) return { kind: 'session', session };
  if (reference.length < shortestPrefix) return undefined;
  return pick(store, reference, store.received.listByIdPrefix(reference, shownCandidates + 1));
}

function pick(
  store: Store,
  reference: string,
  found: readonly ReceivedMessage[],
): Subject | undefined {
  const [one, ...others] = found;
  if (one === undefined) return undefined;
  if (others.length === 0) return messageOf(one);
  const names = found.slice(0, shownCandidates).map(({ messageId, messagingGroupId }) => {
    const chat = store.messagingGroups.find(messagingGroupId);
    return `${messageId} (${chat === undefined ? messagingGroupId : chatName(chat)})`;
  });
  const more = found.length > names.length ? ' or others' : '';
  throw new BerthError(
    'invalid_input',
    `${JSON.stringify(reference)} may be ${names.join(', ')}${more}.`,
    { next: 'Give one of these ids, or name the chat with `--chat`.' },
  );
}

function messageOf(received: ReceivedMessage): Subject {
  return { kind: 'message', messageId: received.messageId, received };
}

function unlessUnknown<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (hasCode(error, 'not_found')) return undefined;
    throw error;
  }
}
