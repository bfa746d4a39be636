import { isoAt } from '../../../shared/base/clock.js';
import { BerthError, hasCode } from '../../../shared/base/errors.js';
import { assertTimeZone } from '../../sessions/tasks/recurrence.js';
import { messagingGroupIdFor, type MessagingGroup } from '../../store/messaging-groups.js';
import type { Store } from '../../store/store.js';
import { parseGiven, usageError, type CommandContext } from '../command/command-context.js';
import { removeEndedSessions } from '../../operations/ended-sessions.js';
import { chatName, getMessagingGroup, isSameName } from '../../operations/references.js';
import { isTerminal, parseChatName, parseName, parseSender } from '../command/names.js';
import { scopeOf } from '../command/perform.js';
import { writeStore } from '../command/store-access.js';

export interface MessagingGroupOptions {
  readonly name?: string;
  readonly group?: boolean;
  /** `false`: none. */
  readonly admin?: string | false;
  /** `false`: the install's. */
  readonly timeZone?: string | false;
}

export function createMessagingGroup(
  context: CommandContext,
  chat: string,
  options: MessagingGroupOptions,
): MessagingGroup {
  return writeStore(context, (store) => {
    const { channelType, platformId } = parseChatName(chat, store);
    const known = store.messagingGroups.findByPlatform(channelType, platformId);
    if (known !== undefined) {
      throw new BerthError('already_exists', `The chat ${chat} is known already: ${known.id}.`, {
        next: 'Change it with `berth messaging-groups update`.',
      });
    }
    return insertChat(context, store, chat, options);
  });
}

/** The chat of that name, recorded when it is not known yet. */
export function ensureMessagingGroup(
  context: CommandContext,
  store: Store,
  reference: string,
): MessagingGroup {
  const known = store.messagingGroups.find(reference);
  if (known !== undefined) return known;
  const isNew =
    reference.includes(':') &&
    !store.messagingGroups.list().some((chat) => isSameName(chatName(chat), reference));
  if (isNew) return insertChat(context, store, reference, {});
  try {
    return getMessagingGroup(store, reference);
  } catch (error) {
    if (!hasCode(error, 'not_found')) throw error;
    throw new BerthError('not_found', `There is no messaging group ${JSON.stringify(reference)}.`, {
      next: 'Write a chat as channel:id, like terminal:local, or see `berth messaging-groups list`.',
    });
  }
}

export function updateMessagingGroup(
  context: CommandContext,
  reference: string,
  options: MessagingGroupOptions & {
    readonly allow?: readonly string[];
    readonly disallow?: readonly string[];
  },
): {
  group: MessagingGroup;
  allowedSenders: readonly string[];
  /** People who were to be taken off the allowlist, and were not on it. */
  notListed: readonly string[];
} {
  if (Object.keys(options).length === 0) throw usageError('Say what is to change.');
  return writeStore(context, (store) => {
    const group = withOptions(store, options, getMessagingGroup(store, reference));
    store.messagingGroups.update(group);
    const now = isoAt(context.clock.now());
    const listed = store.messagingGroups.listAllowedSenders(group.id);
    const spellings = (sender: string): readonly string[] => [sender, sender.normalize('NFC')];
    const notListed = (options.disallow ?? []).filter(
      (sender) => !spellings(sender).some((one) => listed.includes(one)),
    );
    for (const sender of options.allow ?? []) {
      store.messagingGroups.allowSender(group.id, senderOf(store, group, sender), now);
    }
    for (const sender of options.disallow ?? []) {
      for (const one of spellings(sender)) store.messagingGroups.disallowSender(group.id, one);
    }
    return {
      group,
      allowedSenders: store.messagingGroups.listAllowedSenders(group.id),
      notListed,
    };
  });
}

/** Throws in_use while wirings or sessions refer to it. */
export function deleteMessagingGroup(
  context: CommandContext,
  reference: string,
  withSessions: boolean,
): { group: MessagingGroup; removed: readonly string[] } {
  return writeStore(context, (store) => {
    const group = getMessagingGroup(store, reference);
    const subject = `The messaging group ${chatName(group)}`;
    const wirings = store.wirings.listForMessagingGroup(group.id);
    if (wirings.length > 0) {
      const ids = wirings.map(({ id }) => id).join(', ');
      throw new BerthError('in_use', `${subject} is wired: ${ids}.`, {
        next: 'Delete the wirings first, with `berth wirings delete ID`.',
      });
    }
    const sessions = store.sessions.list({ messagingGroupId: group.id });
    const removed = removeEndedSessions(scopeOf(context, store), {
      subject,
      sessions,
      withSessions,
    });
    store.messagingGroups.delete(group.id);
    return { group, removed };
  });
}

function insertChat(
  context: CommandContext,
  store: Store,
  chat: string,
  options: MessagingGroupOptions,
): MessagingGroup {
  const { channelType, platformId } = parseChatName(chat, store);
  const group = withOptions(store, options, {
    channelType,
    platformId,
    id: messagingGroupIdFor(channelType, platformId),
    name: null,
    isGroup: false,
    adminUserId: null,
    timeZone: null,
    createdAt: isoAt(context.clock.now()),
  });
  store.messagingGroups.insert(group);
  return group;
}

/** People name themselves in the terminal; other platforms make the ids of their people. */
function senderOf(store: Store, { channelType }: MessagingGroup, text: string): string {
  return isTerminal(store, channelType) ? parseName(text) : parseSender(text);
}

function withOptions(
  store: Store,
  options: MessagingGroupOptions,
  group: MessagingGroup,
): MessagingGroup {
  const { name, group: isGroup, admin, timeZone } = options;
  if (typeof timeZone === 'string') {
    parseGiven(() => {
      assertTimeZone(timeZone);
    });
  }
  const adminUserId = typeof admin === 'string' ? senderOf(store, group, admin) : admin;
  return {
    ...group,
    name: name === undefined ? group.name : parseName(name),
    isGroup: isGroup ?? group.isGroup,
    adminUserId: adminUserId === undefined ? group.adminUserId : adminUserId || null,
    timeZone: timeZone === undefined ? group.timeZone : timeZone || null,
  };
}
