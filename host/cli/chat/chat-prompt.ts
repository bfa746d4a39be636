import {
  clearScreenDown,
  createInterface,
  cursorTo,
  moveCursor,
  type Interface,
} from 'node:readline';
import { toBerthError } from '../../../shared/base/errors.js';
import type { Conversation } from './chat-conversation.js';
import { describeEvent, type ChatIo } from './chat-output.js';

export interface ChatPromptDeps {
  readonly conversation: Conversation;
  readonly io: ChatIo;
  readonly json: boolean;
}

/** For who leaves before the answer has come. */
export const keptWords = 'What is answered meanwhile is kept for the next `berth chat`.';

/** How long somebody who leaves is kept for messages that are not on disk yet. */
const farewellMs = 2_000;

/** A person types at a prompt until `/quit`, ctrl-d or ctrl-c. */
export class ChatPrompt {
  readonly #deps: ChatPromptDeps;
  #prompt: Interface | undefined;
  #farewell: NodeJS.Timeout | undefined;
  #wasInterrupted = false;

  constructor(deps: ChatPromptDeps) {
    this.#deps = deps;
  }

  /** Returns the exit code. */
  async run(): Promise<number> {
    const { conversation, io, json } = this.#deps;
    const prompt = this.#open();
    try {
      for await (const event of conversation.events()) {
        const utterance = describeEvent(event, { isPrompt: true, json, isTerminal: true });
        if (utterance !== undefined) this.#print(utterance.text);
        if (this.#prompt === undefined && conversation.unsent === 0) void conversation.close();
      }
    } finally {
      prompt.close();
      clearTimeout(this.#farewell);
    }
    return this.#wasInterrupted ? 130 : tellUnsent(conversation.unsent, io);
  }

  #open(): Interface {
    const { io } = this.#deps;
    const prompt = createInterface({
      input: io.input,
      output: io.output,
      prompt: 'you> ',
      terminal: true,
    });
    this.#prompt = prompt;
    prompt.on('line', (line) => {
      this.#take(line.trim(), prompt);
    });
    prompt.on('SIGINT', () => {
      this.#wasInterrupted = true;
      prompt.close();
    });
    prompt.on('close', () => {
      this.#leave();
    });
    this.#print('Talk away; ctrl-d or /quit leaves.');
    return prompt;
  }

  #take(text: string, prompt: Interface): void {
    if (text === '/quit') {
      prompt.close();
      return;
    }
    try {
      if (text !== '') this.#deps.conversation.say(text);
    } catch (error) {
      this.#print(toBerthError(error).message);
    }
    prompt.prompt();
  }

  #leave(): void {
    const { conversation, io } = this.#deps;
    this.#prompt = undefined;
    io.output.write('\n');
    if (conversation.unfinished > conversation.unsent) io.errors.write(`${keptWords}\n`);
    const close = (): void => void conversation.close();
    if (conversation.unsent === 0) close();
    else this.#farewell = setTimeout(close, farewellMs);
  }

  #print(text: string): void {
    const { output } = this.#deps.io;
    if (this.#prompt === undefined) output.write(`${text}\n`);
    else printAbove(this.#prompt, output, text);
  }
}

function tellUnsent(unsent: number, io: ChatIo): number {
  if (unsent === 0) return 0;
  io.errors.write(
    `${unsent === 1 ? 'One message was' : `${unsent} messages were`} not taken. Start the daemon with \`berth start --detach\` and say it again.\n`,
  );
  return 1;
}

/**
 * Puts the text above the line that is being typed. readline redraws from as many rows up as the typed line
 * has, so as many are left free for it.
 */
function printAbove(prompt: Interface, output: NodeJS.WritableStream, text: string): void {
  const { rows } = prompt.getCursorPos();
  cursorTo(output, 0);
  moveCursor(output, 0, -rows);
  clearScreenDown(output);
  output.write(`${text}\n${'\n'.repeat(rows)}`);
  prompt.prompt(true);
}
