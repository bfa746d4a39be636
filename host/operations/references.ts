/** How commands name things: by id, by the beginning of an id, and where it is natural by a name of their own. */
import { BerthError } from '../../shared/base/errors.js';
import { normalizeName } from '../../shared/base/name-rules.js';
import type { AgentGroup } from '../store/agent-groups.js';
import type { MessagingGroup } from '../store/messaging-groups.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { Task } from '../store/tasks.js';
import type { Wiring } from '../store/wirings.js';

/** By id, folder, name (in any case) or the beginning of an id. Throws not_found, or invalid_input when several fit. */
export function getAgentGroup(store: Store, reference: string): AgentGroup {
  return pickOne(reference, store.agentGroups.list(), {
    noun: 'agent group',
    command: 'agent-groups',
    ways: [
      ({ id, folder }) => id === reference || folder === reference,
      ({ name }) => comparable(name) === comparable(reference),
    ],
    describe: ({ id, folder }) => `${folder} (${id})`,
  });
}

/** Names that people take for the same one are the same: in any case, however their letters were composed. */
export function comparable(name: string): string {
  return normalizeName(name).toLowerCase();
}

/** However the letters of either were composed. */
export function isSameName(one: string, other: string): boolean {
  return normalizeName(one) === normalizeName(other);
}

/** By id, channel:platformId or the beginning of an id. Throws not_found, or invalid_input when several fit. */
export function getMessagingGroup(store: Store, reference: string): MessagingGroup {
  return pickOne(reference, store.messagingGroups.list(), {
    noun: 'messaging group',
    command: 'messaging-groups',
    ways: [
      (one) => one.id === reference || chatName(one) === reference,
      (one) => isSameName(chatName(one), reference),
    ],
    describe: (one) => `${chatName(one)} (${one.id})`,
  });
}

export function getWiring(store: Store, reference: string): Wiring {
  return pickOne(reference, store.wirings.list(), {
    noun: 'wiring',
    command: 'wirings',
    ways: [({ id }) => id === reference],
    describe: ({ id }) => id,
  });
}

export function getSession(store: Store, reference: string): Session {
  const exact = store.sessions.find(reference);
  if (exact !== undefined) return exact;
  return pickOne(reference, store.sessions.list(), {
    noun: 'session',
    command: 'sessions',
    ways: [],
    describe: ({ id }) => id,
  });
}

export function getTask(store: Store, reference: string): Task {
  const exact = store.tasks.find(reference);
  if (exact !== undefined) return exact;
  return pickOne(reference, store.tasks.list(), {
    noun: 'task',
    command: 'tasks',
    ways: [],
    describe: ({ id }) => id,
  });
}

/** `terminal:local` */
export function chatName(chat: Pick<MessagingGroup, 'channelType' | 'platformId'>): string {
  return `${chat.channelType}:${chat.platformId}`;
}

interface Kind<T> {
  readonly noun: string;
  readonly command: string;
  /** The first way in which anything fits decides; the beginning of an id comes last. */
  readonly ways: readonly ((one: T) => boolean)[];
  readonly describe: (one: T) => string;
}

/** Shorter ones would fit by accident. */
const shortestPrefix = 4;
const shownCandidates = 8;

function pickOne<T extends { readonly id: string }>(
  reference: string,
  all: readonly T[],
  { noun, command, ways, describe }: Kind<T>,
): T {
  const isPrefix = ({ id }: T): boolean =>
    reference.length >= shortestPrefix && id.startsWith(reference);
  for (const fits of [...ways, isPrefix]) {
    const [one, ...others] = all.filter(fits);
    if (one === undefined) continue;
    if (others.length === 0) return one;
    const names = [one, ...others].slice(0, shownCandidates).map(describe);
    const more = others.length + 1 - names.length;
    throw new BerthError(
      'invalid_input',
      `${JSON.stringify(reference)} may be ${names.join(', ')}${more > 0 ? ` or one of ${more} more` : ''}.`,
      { next: 'Write more of the id.' },
    );
  }
  throw new BerthError('not_found', `There is no ${noun} ${JSON.stringify(reference)}.`, {
    next: `See \`berth ${command} list\`.`,
  });
}
