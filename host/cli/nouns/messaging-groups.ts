import { Option } from 'commander';
import { describeAge } from '../command/time-words.js';
import type { MessagingGroup } from '../../store/messaging-groups.js';
import type { AddCommands, CommandContext } from '../command/command-context.js';
import {
  createMessagingGroup,
  deleteMessagingGroup,
  updateMessagingGroup,
} from './messaging-group-changes.js';
import { findInstallZone } from '../command/install-time-zone.js';
import { chatName, getMessagingGroup } from '../../operations/references.js';
import { readStore } from '../command/store-access.js';
import { parseCount } from '../command/option-values.js';
import { formatFields, formatSection, formatTable } from '../output/table.js';

export const addMessagingGroupCommands: AddCommands = (program, act) => {
  const noun = program
    .command('messaging-groups')
    .description('chats, each named by id or as channel:id, like terminal:local');
  noun.command('list').description('list them').action(act(list));
  noun
    .command('create <chat>')
    .description('record a chat before its first message')
    .option('--name <name>', 'for people')
    .option('--group', 'several people talk there: an agent may have to be mentioned')
    .option('--admin <sender>', 'its admin: is always on the allowlist')
    .option('--time-zone <zone>', 'where its schedules are told, like Europe/Berlin')
    .action(act(create));
  noun
    .command('show <chat>')
    .description('show one: who may talk, and what became of its latest messages')
    .addOption(new Option('--limit <n>', 'how many messages').argParser(parseCount).default(20))
    .action(act(show));
  noun
    .command('update <chat>')
    .description('change one')
    .option('--name <name>', 'for people')
    .option('--group', 'several people talk there')
    .option('--no-group', 'one person talks there')
    .option('--admin <sender>', 'its admin')
    .option('--no-admin', 'no admin')
    .option('--time-zone <zone>', 'where its schedules are told, like Europe/Berlin')
    .option('--no-time-zone', "the install's")
    .option('--allow <sender...>', 'put on the allowlist')
    .option('--disallow <sender...>', 'take off the allowlist')
    .action(act(update));
  noun
    .command('delete <chat>')
    .description('delete one that has no wirings and no sessions, and the record of its messages')
    .option('--with-sessions', 'delete its ended sessions too, with their files')
    .action(act(remove));
};

function list(context: CommandContext): void {
  const chats = readStore(context, (store) =>
    store.messagingGroups.list().map((chat) => ({
      ...chat,
      wirings: store.wirings.listForMessagingGroup(chat.id).length,
    })),
  );
  context.output.result(chats, (width) =>
    formatTable(
      [
        { title: 'chat', value: chatName },
        { title: 'name', value: ({ name }) => name ?? '-' },
        { title: 'group', value: ({ isGroup }) => (isGroup ? 'yes' : '-') },
        { title: 'wirings', value: ({ wirings }) => `${wirings}` },
        { title: 'id', value: ({ id }) => id, whole: true },
      ],
      chats,
      width,
      'There are no chats yet. A chat is recorded with its first message.',
    ),
  );
}

function create(
  context: CommandContext,
  chat: string,
  options: Parameters<typeof createMessagingGroup>[2],
): void {
  const group = createMessagingGroup(context, chat, options);
  noteUnknownChannel(context, group);
  context.output.result(group, () => `Created the messaging group ${named(group)}.`);
}

/** The daemon's word is the last one's where none runs. */
export function noteUnknownChannel(
  context: CommandContext,
  { channelType }: { readonly channelType: string },
): void {
  const known = readStore(context, (store) => store.channels.list().map(({ id }) => id));
  if (known.includes(channelType)) return;
  const others = known.length === 0 ? '' : `; there is ${known.join(', ')}`;
  context.output.note(`There is no channel ${channelType} here${others}.`);
}

function show(
  context: CommandContext,
  reference: string,
  { limit }: { readonly limit: number },
): void {
  const { clock, output } = context;
  const facts = readStore(context, (store) => {
    const group = getMessagingGroup(store, reference);
    const folderOf = (id: string): string => store.agentGroups.find(id)?.folder ?? id;
    return {
      group,
      allowedSenders: store.messagingGroups.listAllowedSenders(group.id),
      wiredTo: store.wirings
        .listForMessagingGroup(group.id)
        .map(({ agentGroupId }) => folderOf(agentGroupId)),
      received: store.received.listNewest(group.id, limit).map((message) => ({
        ...message,
        verdicts: message.verdicts.map((verdict) => ({
          ...verdict,
          agentGroup: folderOf(verdict.agentGroupId),
        })),
      })),
    };
  });
  const { group, allowedSenders, wiredTo, received } = facts;
  output.result({ ...group, allowedSenders, wiredTo, received }, (width) => {
    const fields = formatFields(
      [
        ['id', group.id],
        ['chat', chatName(group)],
        ['name', group.name ?? '-'],
        ['group', group.isGroup ? 'yes' : 'no'],
        ['admin', group.adminUserId ?? '-'],
        ['time zone', group.timeZone ?? `${findInstallZone(context).name} (the install's)`],
        ['allowed', allowedSenders.join(', ') || '-'],
        ['wired to', wiredTo.join(', ') || 'nothing: nobody answers here'],
        ['created', group.createdAt],
      ],
      width,
    );
    const table = formatTable(
      [
        { title: 'received', value: (row) => describeAge(row.receivedAt, clock.now()) },
        { title: 'message', value: ({ messageId }) => messageId, whole: true },
        { title: 'platform id', value: ({ platformMessageId }) => platformMessageId },
        { title: 'session', value: sessionsOf },
        { title: 'verdicts', value: describeVerdicts, below: true },
      ],
      received,
      width - 2,
      'none yet',
    );
    return `${fields}${formatSection('Latest messages', table)}`;
  });
}

interface NamedVerdict {
  readonly agentGroup: string;
  readonly verdict: string;
  readonly reason?: string;
  readonly sessionId?: string;
}

function sessionsOf({ verdicts }: { readonly verdicts: readonly NamedVerdict[] }): string {
  return verdicts.flatMap(({ sessionId }) => sessionId ?? []).join(', ') || '-';
}

function describeVerdicts({ verdicts }: { readonly verdicts: readonly NamedVerdict[] }): string {
  const texts = verdicts.map(
    ({ agentGroup, verdict, reason }) =>
      `${agentGroup}: ${verdict}${reason === undefined ? '' : ` (${reason})`}`,
  );
  return texts.join('; ') || 'refused (no agent is wired to this chat)';
}

function update(
  context: CommandContext,
  reference: string,
  options: Parameters<typeof updateMessagingGroup>[2],
): void {
  const updated = updateMessagingGroup(context, reference, options);
  const { group, allowedSenders, notListed } = updated;
  for (const sender of notListed) {
    context.output.note(`${sender} was not on the allowlist of ${chatName(group)}.`);
  }
  context.output.result(
    { ...group, allowedSenders },
    () => `Updated the messaging group ${named(group)}.`,
  );
}

function remove(
  context: CommandContext,
  reference: string,
  options: { readonly withSessions?: boolean },
): void {
  const { group, removed } = deleteMessagingGroup(
    context,
    reference,
    options.withSessions ?? false,
  );
  context.output.result({ deleted: group.id, removedSessions: removed }, () =>
    [
      `Deleted the messaging group ${named(group)}.`,
      ...(removed.length > 0 ? [`Deleted with it: ${removed.join(', ')}.`] : []),
    ].join('\n'),
  );
}

function named(group: MessagingGroup): string {
  return `${chatName(group)} (${group.id})`;
}
