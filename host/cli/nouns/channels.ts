import { Option } from 'commander';
import type { ChannelView } from '../../operations/channels.js';
import {
  parseGiven,
  usageError,
  type AddCommands,
  type CommandContext,
} from '../command/command-context.js';
import { findDaemon } from '../command/daemon-presence.js';
import { collectWords, parseAssignments } from '../command/option-values.js';
import { performNow } from '../command/perform.js';
import { formatTable } from '../output/table.js';

const setHelp = 'a value of its config, like socketPath=ops.sock';

export const addChannelCommands: AddCommands = (program, act) => {
  const noun = program
    .command('channels')
    .description('what connects chats: the daemon starts and ends them as they are written here');
  noun.command('list').description('list them, and how each is').action(act(list));
  noun
    .command('add <type>')
    .description('add one; a running daemon starts it')
    .option('--id <id>', 'what its chats are called by, as in ops:local; by default the type')
    .addOption(new Option('--set <key=value...>', setHelp).argParser(collectWords))
    .action(act(add));
  noun
    .command('set <channel> [key=value...]')
    .description('change its config; a running daemon starts it anew')
    .addOption(
      new Option('--unset <key...>', 'a value back to the default').argParser(collectWords),
    )
    .action(act(set));
  noun
    .command('enable <channel>')
    .description('have it run, and send what was kept for its chats')
    .action(act(enable));
  noun
    .command('disable <channel>')
    .description('have it rest; replies to its chats are kept')
    .action(act(disable));
  noun
    .command('remove <channel>')
    .description('take one away that no chat and no destination is on')
    .action(act(remove));
};

interface Listed extends ChannelView {
  /** As the daemon tells it; null: none runs. */
  readonly state: string | null;
  readonly lastError: string | null;
}

function list(context: CommandContext): void {
  const { config, output } = context;
  const daemon = findDaemon(config.paths);
  const state = daemon.kind === 'present' ? daemon.state : undefined;
  const rows = performNow(context, 'channels.list', {}).map((channel): Listed => {
    const lastError = state?.channelErrors[channel.id] ?? null;
    const how = state?.channels[channel.id] ?? null;
    return { ...channel, state: how !== null && how === lastError ? 'failed' : how, lastError };
  });
  output.result(rows, (width) =>
    formatTable(
      [
        { title: 'id', value: ({ id }) => id, whole: true },
        { title: 'type', value: ({ type }) => type },
        { title: 'enabled', value: ({ enabled }) => (enabled ? 'yes' : 'no') },
        { title: 'state', value: (one) => one.state ?? '-' },
        { title: 'config', value: (one) => JSON.stringify(one.config) },
        { title: 'last error', value: (one) => one.lastError ?? '-' },
      ],
      rows,
      width,
      'There are no channels. `berth channels add terminal` adds the one that `berth chat` uses.',
    ),
  );
}

function add(
  context: CommandContext,
  type: string,
  options: { readonly id?: string; readonly set?: readonly string[] },
): void {
  const config = parseAssignments(options.set ?? [], setExample);
  const named = options.id === undefined ? {} : { id: options.id };
  const channel = parseGiven(() => performNow(context, 'channels.add', { type, config, ...named }));
  tell(context, channel, 'Added');
}

function set(
  context: CommandContext,
  channel: string,
  words: readonly string[],
  { unset = [] }: { readonly unset?: readonly string[] },
): void {
  if (words.length + unset.length === 0) throw usageError('Say what is to change.');
  const given = { channel, set: parseAssignments(words, setExample), unset: [...unset] };
  tell(
    context,
    parseGiven(() => performNow(context, 'channels.set', given)),
    'Changed',
  );
}

const setExample = 'socketPath=ops.sock';

function enable(context: CommandContext, channel: string): void {
  tell(context, performNow(context, 'channels.enable', { channel }), 'Enabled');
}

function disable(context: CommandContext, channel: string): void {
  tell(context, performNow(context, 'channels.disable', { channel }), 'Disabled');
}

function remove(context: CommandContext, channel: string): void {
  const { deleted } = performNow(context, 'channels.remove', { channel });
  context.output.result({ deleted }, () => `Removed the channel ${deleted}.`);
}

function tell({ output }: CommandContext, channel: ChannelView, done: string): void {
  output.result(channel, () => `${done} the channel ${channel.id}.`);
}
