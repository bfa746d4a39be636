import { createInterface } from 'node:readline';
import { toBerthError } from '../../../shared/base/errors.js';
import { newId } from '../../../shared/base/ids.js';
import type { TerminalClient } from '../../channels/terminal/terminal-client.js';
import { Conversation, type ChatEvent } from './chat-conversation.js';
import { describeEvent, type ChatIo, type Utterance } from './chat-output.js';
import { ChatPrompt, keptWords } from './chat-prompt.js';
import { QuietNote } from '../output/quiet-note.js';

export interface ChatOptions {
  /** A single message; without it the input's lines are the messages, or what a person types. */
  readonly text: string | undefined;
  readonly platformId: string;
  readonly threadId: string | null;
  readonly sender: string;
  /** Prints one JSON object a line, as the terminal protocol has them. */
  readonly json: boolean;
  readonly client: TerminalClient;
  readonly io: ChatIo;
  /** How long a daemon that went away is waited for, where nobody sits at a prompt. */
  readonly reconnectMs?: number;
  /** Says what a message of ours waits for, as a sentence; undefined where nothing is known. */
  readonly findWait?: (messageId: string) => string | undefined;
  /** After how long a silence the person is told that we still wait. */
  readonly quietMs?: number;
}

/**
 * Returns the exit code: 0 when all was dealt with, 1 when something was refused or failed, 130 on ctrl-c.
 * Throws daemon_not_running, io_failed, and invalid_input for a text that is too long.
 */
export async function runChat(options: ChatOptions): Promise<number> {
  const { io, text, platformId, threadId, sender, client } = options;
  const isPrompt = text === undefined && io.input.isTTY === true && io.output.isTTY === true;
  const conversation = new Conversation({
    client,
    newId,
    platformId,
    threadId,
    sender,
    reconnectMs: isPrompt ? Infinity : (options.reconnectMs ?? 30_000),
  });
  const leave = (): void => void conversation.close();
  io.interrupted.addEventListener('abort', leave, { once: true });
  try {
    await conversation.start();
    const code = isPrompt
      ? await new ChatPrompt({ conversation, io, json: options.json }).run()
      : await runLines(conversation, options);
    if (!io.interrupted.aborted) return code;
    if (conversation.unfinished > 0 && !isPrompt) io.errors.write(`${keptWords}\n`);
    return 130;
  } finally {
    io.interrupted.removeEventListener('abort', leave);
    await conversation.close();
  }
}

/** So many messages may be on their way before the input is held back. */
const unsentAtMost = 64;

async function runLines(conversation: Conversation, options: ChatOptions): Promise<number> {
  const { io, text, json } = options;
  const isTerminal = io.output.isTTY === true;
  let code = 0;
  const print = ({ to, text }: Utterance): void => {
    (to === 'output' ? io.output : io.errors).write(`${text}\n`);
  };
  const quiet = new QuietNote(options.quietMs ?? 10_000, () => {
    if (conversation.unfinished === 0) return;
    const why = conversation.openIds.map((id) => options.findWait?.(id)).find(isDefined);
    print({
      to: 'errors',
      text: `Still waiting for an answer${why === undefined ? ' …' : `: ${why}`}`,
    });
  });
  const fail = (error: unknown): void => {
    code = 1;
    print({ to: 'errors', text: toBerthError(error).message });
  };
  const reader = text === undefined ? readLines(conversation, io, fail) : undefined;
  try {
    if (text !== undefined) {
      conversation.say(text);
      conversation.end();
    }
    quiet.touch();
    const silence = new SilenceNote();
    for await (const event of conversation.events()) {
      quiet.touch();
      if (silence.isDue(event, options)) print(silence.note);
      if (isFailure(event)) code = 1;
      const utterance = describeEvent(event, { json, isTerminal, isPrompt: false });
      if (utterance !== undefined) print(utterance);
      if (conversation.unsent < unsentAtMost) reader?.resume();
    }
    return code;
  } finally {
    quiet.stop();
    reader?.close();
  }
}

/** An agent may do something first, and speak of it later. */
class SilenceNote {
  readonly note: Utterance = {
    to: 'errors',
    text: 'Done, without an answer. What the agent still says is kept for this chat: `berth chat` prints it.',
  };
  #isAnswered = false;

  /** Where one message was said, and is over. */
  isDue(event: ChatEvent, { text }: ChatOptions): boolean {
    if (event.kind === 'spoken' && event.isAnswer) this.#isAnswered = true;
    const isOver = event.kind === 'finished' && event.status === 'completed';
    return isOver && !this.#isAnswered && text !== undefined;
  }
}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined;
}

function isFailure(event: ChatEvent): boolean {
  return event.kind === 'refused' || (event.kind === 'finished' && event.status === 'failed');
}

interface LineReader {
  resume(): void;
  close(): void;
}

function readLines(
  conversation: Conversation,
  io: ChatIo,
  onUnsayable: (error: unknown) => void,
): LineReader {
  const lines = createInterface({ input: io.input, crlfDelay: Infinity });
  let isClosed = false;
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    try {
      conversation.say(line);
    } catch (error) {
      onUnsayable(error);
    }
    if (conversation.unsent >= unsentAtMost && !isClosed) lines.pause();
  });
  lines.on('close', () => {
    isClosed = true;
    conversation.end();
  });
  return {
    resume: () => {
      if (!isClosed) lines.resume();
    },
    close: () => {
      lines.close();
    },
  };
}
