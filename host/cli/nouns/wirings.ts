import { Option, type Command } from 'commander';
import { findMentionedNames } from '../../channels/terminal/terminal-mention.js';
import { responseScopes, sessionModes, type Wiring } from '../../store/wirings.js';
import type { AddCommands, CommandContext } from '../command/command-context.js';
import { noteUnknownChannel } from './messaging-groups.js';
import { isTerminal } from '../command/names.js';
import { parseWhole } from '../command/option-values.js';
import { chatName } from '../../operations/references.js';
import { performNow } from '../command/perform.js';
import { readStore } from '../command/store-access.js';
import { fromStoredJson } from './stored-json.js';
import { formatTable } from '../output/table.js';
import { ignoredChoices, modeChoices } from './trigger-options.js';
import { createWiring, updateWiring, type WiringOptions } from './wiring-changes.js';

export const addWiringCommands: AddCommands = (program, act) => {
  const noun = program
    .command('wirings')
    .description('which agent group answers which chat, and when');
  noun.command('list').description('list them').action(act(list));
  const create = noun
    .command('create <chat> <agent-group>')
    .description('wire a chat to an agent group; a chat that is not known yet is recorded');
  addRules(create).action(act(add));
  const update = noun
    .command('update <wiring>')
    .description(
      'change its rules, for the next message on; for another agent, delete it and create one',
    );
  addRules(update).action(act(change));
  noun
    .command('test <chat> <text>')
    .description('say which agents would take this message, and why; nothing is sent')
    .option('--sender <id>', 'who says it', 'somebody')
    .option('--thread <id>', 'where, in a thread')
    .option('--mention', 'the platform says that the agent is addressed')
    .action(act(test));
  noun.command('delete <wiring>').description('delete one; its sessions stay').action(act(remove));
};

function addRules(command: Command): Command {
  const inOne = new Option('--trigger <json>', 'the trigger rules as JSON').conflicts([
    'mode',
    'pattern',
    'ignored',
  ]);
  return command
    .addOption(new Option('--mode <mode>', 'when the agent takes a message').choices(modeChoices))
    .option('--pattern <re2>', 'what a message must contain, for mode pattern')
    .addOption(
      new Option('--ignored <what>', 'what becomes of other messages').choices(ignoredChoices),
    )
    .addOption(inOne)
    .addOption(
      new Option('--scope <scope>', 'who and what may ask for an answer').choices(responseScopes),
    )
    .addOption(
      new Option('--session-mode <mode>', 'what makes one conversation').choices(sessionModes),
    )
    .addOption(new Option('--priority <n>', 'the higher one is asked first').argParser(parseWhole));
}

function list(context: CommandContext): void {
  const rows = readStore(context, (store) => {
    const chats = new Map(store.messagingGroups.list().map((chat) => [chat.id, chatName(chat)]));
    const folders = new Map(store.agentGroups.list().map(({ id, folder }) => [id, folder]));
    return store.wirings.list().map((wiring) => ({
      ...view(wiring),
      chat: chats.get(wiring.messagingGroupId) ?? wiring.messagingGroupId,
      agentGroup: folders.get(wiring.agentGroupId) ?? wiring.agentGroupId,
    }));
  });
  context.output.result(rows, (width) =>
    formatTable(
      [
        { title: 'chat', value: ({ chat }) => chat, cut: 'middle' },
        { title: 'agent', value: ({ agentGroup }) => agentGroup },
        { title: 'when', value: describeRules },
        { title: 'scope', value: ({ responseScope }) => responseScope },
        { title: 'session', value: ({ sessionMode }) => sessionMode },
        { title: 'prio', value: ({ priority }) => `${priority}` },
        { title: 'id', value: ({ id }) => id, whole: true },
      ],
      rows,
      width,
      'There are no wirings yet. A terminal chat wires itself with its first message.',
    ),
  );
}

function add(
  context: CommandContext,
  chat: string,
  agentGroup: string,
  options: WiringOptions,
): void {
  const { channelType, others, ...wiring } = createWiring(context, chat, agentGroup, options);
  noteUnknownChannel(context, { channelType });
  if (others.length > 0) {
    context.output.note(
      `${chat} is wired to ${others.join(', ')} too: a message that fits the rules of several is answered by each.`,
    );
  }
  context.output.result(view(wiring), () => `Wired ${chat} to ${agentGroup} (${wiring.id}).`);
}

function change(context: CommandContext, reference: string, options: WiringOptions): void {
  const wiring = updateWiring(context, reference, options);
  context.output.result(view(wiring), () => `Updated the wiring ${wiring.id}.`);
}

interface TestOptions {
  readonly sender: string;
  readonly thread?: string;
  readonly mention?: boolean;
}

function test(context: CommandContext, chat: string, text: string, options: TestOptions): void {
  const { sender, thread = null, mention = false } = options;
  const [channel = ''] = chat.split(':');
  const isTyped = readStore(context, (store) => isTerminal(store, channel));
  const mentionedNames = isTyped ? [...findMentionedNames(text)] : [];
  const message = { text, sender, thread, mention, mentionedNames };
  const verdicts = performNow(context, 'wirings.test', { chat, ...message });
  context.output.result(verdicts, (width) =>
    formatTable(
      [
        { title: 'agent', value: ({ agentGroup }) => agentGroup },
        { title: 'would', value: ({ verdict }) => verdictWords[verdict] },
        { title: 'because', value: ({ reason }) => reason ?? 'its rules say so' },
        { title: 'wiring', value: ({ wiring }) => wiring, whole: true },
      ],
      verdicts,
      width,
      '',
    ),
  );
}

const verdictWords = {
  engaged: 'answer',
  context: 'keep it as context',
  refused: 'leave it',
} as const;

function remove(context: CommandContext, wiring: string): void {
  const removed = performNow(context, 'wirings.delete', { wiring });
  const { deleted, tasks } = removed;
  if (tasks.length > 0) {
    context.output.note(
      `Tasks that this agent has for the chat go on: ${tasks.join(', ')}. End them with \`berth tasks cancel\`.`,
    );
  }
  context.output.result(removed, () => `Deleted the wiring ${deleted}.`);
}

type WiringView = Omit<Wiring, 'triggerRules'> & { readonly triggerRules: unknown };

function view(wiring: Wiring): WiringView {
  return { ...wiring, triggerRules: fromStoredJson(wiring.triggerRules) };
}

/** `pattern ^hey, else kept` */
function describeRules({ triggerRules }: WiringView): string {
  if (triggerRules === null) return 'always';
  if (typeof triggerRules !== 'object') return JSON.stringify(triggerRules);
  const { mode, pattern, ignored } = triggerRules as Readonly<Record<string, unknown>>;
  const words = [mode, pattern].filter((word) => word !== undefined).map(String);
  return `${words.join(' ')}${ignored === 'accumulate' ? ', else kept' : ''}`;
}
