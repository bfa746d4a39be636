import type { Destination } from '../../../shared/protocol/session-message.js';
import { chatName } from '../../operations/references.js';
import { WrongValue, type AddCommands, type CommandContext } from '../command/command-context.js';
import { parseChatName, parseName } from '../command/names.js';
import { performNow } from '../command/perform.js';
import { readStore } from '../command/store-access.js';
import { formatTable } from '../output/table.js';
import { noteUnknownChannel } from './messaging-groups.js';

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
    .description(
      'let an agent group send to a chat or to an agent; sessions learn it while they run',
    )
    .option('--chat <channel:id>', 'the chat, like terminal:local')
    .option('--agent <agent-group>', 'the agent group that is asked')
    .option('--channel <type>', 'the channel, like terminal; with --platform-id in place of --chat')
    .option('--platform-id <id>', 'the chat on that channel')
    .option('--display-name <name>', 'for people')
    .action(act(add));
  noun.command('remove <agent-group> <name>').description('take a name away').action(act(remove));
};

function list(context: CommandContext, agentGroup: string | undefined): void {
  const rows = performNow(context, 'destinations.list', { agentGroup });
  context.output.result(rows, (width) =>
    formatTable(
      [
        { title: 'agent', value: (row) => row.agentGroup },
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

interface AddOptions {
  readonly chat?: string;
  readonly agent?: string;
  readonly channel?: string;
  readonly platformId?: string;
  readonly displayName?: string;
}

function add(context: CommandContext, agentGroup: string, name: string, options: AddOptions): void {
  const displayName = options.displayName === undefined ? null : parseName(options.displayName);
  const to = targetOf(context, options);
  const destination = performNow(context, 'destinations.add', {
    ...{ agentGroup, name, displayName, to },
  });
  if (to.type === 'channel') noteUnknownChannel(context, to);
  context.output.result(destination, () => {
    const target = to.type === 'agent' ? `the agent ${to.agentGroup}` : describeTarget(destination);
    return `${agentGroup} may send to ${name}: ${target}.`;
  });
}

/** Throws WrongValue unless it is one of the three. */
function targetOf(context: CommandContext, { chat, agent, channel, platformId }: AddOptions) {
  const named =
    channel !== undefined && platformId !== undefined ? `${channel}:${platformId}` : undefined;
  const [one, ...others] = [chat, agent, named].filter((way) => way !== undefined);
  const isHalf = named === undefined && (channel !== undefined || platformId !== undefined);
  if (one === undefined || others.length > 0 || isHalf) {
    throw new WrongValue('Say where it goes: to a chat or to an agent.', {
      next: 'Add --chat CHANNEL:ID or --agent AGENT-GROUP.',
    });
  }
  if (agent !== undefined) return { type: 'agent', agentGroup: agent } as const;
  return { type: 'channel', ...readStore(context, (store) => parseChatName(one, store)) } as const;
}

function remove(context: CommandContext, agentGroup: string, name: string): void {
  const removed = performNow(context, 'destinations.remove', { agentGroup, name });
  context.output.result(removed, () => `${agentGroup} may not send to ${name} any more.`);
}
