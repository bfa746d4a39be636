import { isoAt } from '../../../shared/base/clock.js';
import { BerthError } from '../../../shared/base/errors.js';
import type { Destination } from '../../../shared/protocol/session-message.js';
import { WrongValue, type AddCommands, type CommandContext } from '../command/command-context.js';
import { noteUnknownChannel } from './messaging-groups.js';
import { chatName, getAgentGroup } from '../../operations/references.js';
import { parseChatName, parseName } from '../command/names.js';
import { readStore, writeStore } from '../command/store-access.js';
import { formatTable } from '../output/table.js';

export const addDestinationCommands: AddCommands = (program, act) => {
  const noun = program
    .command('destinations')
    .description('the names that an agent group may send to');
  noun
    .command('list [agent-group]')
    .description('list them, of one agent group or of all')
    .action(act(list));
  noun
    .command('add <agent-group> <name>')
    .description('let an agent group send to a chat; sessions learn it while they run')
    .requiredOption('--channel <type>', 'the channel, like terminal')
    .requiredOption('--platform-id <id>', 'the chat on that channel')
    .option('--display-name <name>', 'for people')
    .action(act(add));
  noun.command('remove <agent-group> <name>').description('take a name away').action(act(remove));
};

function list(context: CommandContext, reference: string | undefined): void {
  const rows = readStore(context, (store) => {
    const groups =
      reference === undefined ? store.agentGroups.list() : [getAgentGroup(store, reference)];
    return groups.flatMap((group) =>
      store.destinations
        .list(group.id)
        .map((destination) => ({ agentGroup: group.folder, ...destination })),
    );
  });
  context.output.result(rows, (width) =>
    formatTable(
      [
        { title: 'agent', value: ({ agentGroup }) => agentGroup },
        { title: 'name', value: ({ name }) => name },
        { title: 'goes to', value: describeTarget },
        { title: 'display name', value: ({ displayName }) => displayName ?? '-' },
      ],
      rows,
      width,
      'There are no destinations. Agents answer where they were spoken to.',
    ),
  );
}

function describeTarget({ channelType, platformId, agentGroupId }: Destination): string {
  if (channelType === null || platformId === null) return `agent ${agentGroupId ?? '?'}`;
  return chatName({ channelType, platformId });
}

function add(
  context: CommandContext,
  reference: string,
  name: string,
  options: {
    readonly channel: string;
    readonly platformId: string;
    readonly displayName?: string;
  },
): void {
  const { displayName } = options;
  const named = {
    name: parseDestinationName(name),
    displayName: displayName === undefined ? null : parseName(displayName),
    type: 'channel',
    agentGroupId: null,
  } as const;
  const destination = writeStore(context, (store): Destination => {
    const chat = parseChatName(`${options.channel}:${options.platformId}`, store);
    const group = getAgentGroup(store, reference);
    if (store.destinations.list(group.id).some((one) => one.name === name)) {
      throw new BerthError('already_exists', `${group.folder} has a destination ${name} already.`, {
        next: `Remove it first, with \`berth destinations remove ${group.folder} ${name}\`.`,
      });
    }
    const added: Destination = { ...named, ...chat };
    store.destinations.insert(group.id, added, isoAt(context.clock.now()));
    return added;
  });
  noteUnknownChannel(context, { channelType: options.channel });
  context.output.result(
    destination,
    () => `${reference} may send to ${name}: ${describeTarget(destination)}.`,
  );
}

function remove(context: CommandContext, reference: string, name: string): void {
  writeStore(context, (store) => {
    const group = getAgentGroup(store, reference);
    if (store.destinations.delete(group.id, name)) return;
    throw new BerthError('not_found', `${group.folder} has no destination ${name}.`, {
      next: `See \`berth destinations list ${group.folder}\`.`,
    });
  });
  context.output.result({ deleted: name }, () => `${reference} may not send to ${name} any more.`);
}

/** Agents write these names; they are kept plain. Throws invalid_input. */
function parseDestinationName(name: string): string {
  if (/^[A-Za-z0-9_-]{1,63}$/.test(name)) return name;
  throw new WrongValue(`${JSON.stringify(name)} cannot be a destination's name.`, {
    next: 'Use 1 to 63 letters, digits, dashes or underscores.',
  });
}
