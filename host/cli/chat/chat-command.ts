import { BerthError } from '../../../shared/base/errors.js';
import { Deadline, delay } from '../../../shared/base/lifecycle.js';
import { describeIssue } from '../../../shared/protocol/plain-words.js';
import { TerminalClient } from '../../channels/terminal/terminal-client.js';
import { nameSchema, terminalChannelType } from '../../channels/terminal/terminal-protocol.js';
import type { DaemonState } from '../../store/daemon-state.js';
import { readSaidText } from './said-text.js';
import { describeWait } from '../command/time-words.js';
import { runChat } from './chat.js';
import { usageError, type AddCommands, type CommandContext } from '../command/command-context.js';
import { findDaemon } from '../command/daemon-presence.js';
import { performNow } from '../command/perform.js';
import { readStore } from '../command/store-access.js';
import { ensureDaemon } from '../daemon/ensure-daemon.js';
import { findOwnName } from '../daemon/own-name.js';
import { describeOtherProgram } from '../daemon/home-remarks.js';

interface ChatFlags {
  readonly chat: string;
  readonly thread?: string;
  readonly sender?: string;
  readonly lines?: true;
}

export const addChatCommand: AddCommands = (program, act) => {
  program
    .command('chat [text...]')
    .description(
      'say something and print the answer; what is piped in is said with it; without both, talk at a prompt',
    )
    .option('--chat <id>', 'which chat of the terminal', 'local')
    .option('--thread <id>', 'which thread of it')
    .option('--sender <name>', 'who speaks; by default your user name')
    .option('--lines', 'each line that is piped in is a message of its own')
    .action(act(chat));
};

function assertName(option: string, value: string): void {
  const { error } = nameSchema.safeParse(value);
  if (error === undefined) return;
  throw usageError(`--${option} ${error.issues.map(describeIssue).join('; ')}.`);
}

/** A start that takes longer than this is talked about. */
const quietMs = 1_000;

async function chat(
  context: CommandContext,
  words: readonly string[],
  flags: ChatFlags,
): Promise<number> {
  const { config, output, edge } = context;
  const { lines, ...named } = flags;
  for (const [option, value] of Object.entries(named)) assertName(option, value);
  const text = await findText(context, words, lines === true);
  await untilListening(context, await ensureDaemonQuietly(context));
  const interrupted = new AbortController();
  edge.onStopRequest(() => {
    interrupted.abort();
  });
  return runChat({
    text,
    platformId: flags.chat,
    threadId: flags.thread ?? null,
    sender: flags.sender ?? findOwnName(),
    json: output.isJson,
    client: new TerminalClient({ socketPath: config.paths.socket }),
    findWait: (messageId) => findWait(context, messageId),
    io: {
      input: edge.stdin,
      output: edge.stdout,
      errors: edge.stderr,
      interrupted: AbortSignal.any([interrupted.signal, output.closed]),
    },
  });
}

/** In the words of `berth explain`. */
function findWait(context: CommandContext, messageId: string): string | undefined {
  try {
    const [wait] = performNow(context, 'berth.explain', { subject: messageId }).now;
    if (wait === undefined) return undefined;
    const { what, until } = wait;
    return until === null ? what : `${what} (${describeWait(until, context.clock.now())})`;
  } catch {
    // A message that waits is no reason to end with an error.
    return undefined;
  }
}

/** Undefined: what the input says, line by line. */
async function findText(
  { edge, output }: CommandContext,
  words: readonly string[],
  asLines: boolean,
): Promise<string | undefined> {
  if (asLines) {
    if (words.length > 0) throw usageError('--lines takes no words: each line is a message.');
    return undefined;
  }
  if (words.length > 0 && words.join(' ').trim() === '') throw nothingSaid();
  const text = await readSaidText({
    words,
    input: edge.stdin,
    note: (remark) => {
      output.note(remark);
    },
  });
  if (text?.trim() === '') throw nothingSaid();
  return text;
}

function nothingSaid(): Error {
  return usageError('There is nothing to say.');
}

/** Says what a long start is doing, and aloud when nothing isolates the agents of the daemon that it started. */
async function ensureDaemonQuietly(context: CommandContext): Promise<DaemonState> {
  const { output, notes, config } = context;
  const beganAt = performance.now();
  const said = new Set<string>();
  const { state, wasRunning } = await ensureDaemon(context, (line) => {
    if (performance.now() - beganAt <= quietMs) return;
    said.add(line);
    output.note(line);
  });
  const other = describeOtherProgram(state, config.program.root);
  if (other !== undefined) output.note(other);
  if (wasRunning) return state;
  const remarks = [
    ...notes,
    ...(state.activity === null ? [] : [state.activity]),
    ...state.remarks,
  ];
  for (const line of remarks) if (!said.has(line)) output.note(line);
  return state;
}

/** How long a channel that was enabled just now may take to listen, in milliseconds. */
const listeningWithinMs = 3_000;
const listeningPollMs = 20;

/** Waits until the daemon listens where a chat is said. Throws not_found where it is not to. */
async function untilListening(context: CommandContext, { channels }: DaemonState): Promise<void> {
  let how = channels[terminalChannelType];
  if (how === 'running') return;
  const row = readStore(context, (store) => store.channels.find(terminalChannelType));
  if (row?.enabled !== true) {
    const verb = row === undefined ? 'add' : 'enable';
    throw new BerthError('not_found', `There is no ${terminalChannelType} channel to chat on.`, {
      next: `Have one with \`berth channels ${verb} ${terminalChannelType}\`.`,
    });
  }
  const deadline = new Deadline(listeningWithinMs);
  while (how !== 'running' && deadline.remainingMs() > 0) {
    await delay(listeningPollMs);
    const daemon = findDaemon(context.config.paths);
    how = daemon.kind === 'present' ? daemon.state.channels[terminalChannelType] : undefined;
  }
}
