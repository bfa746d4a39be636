import type { SpokenLine } from '../../channels/terminal/terminal-protocol.js';
import type { ChatEvent } from './chat-conversation.js';

export interface ChatIo {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly errors: NodeJS.WritableStream;
  /** Aborts on ctrl-c. Where a person types at a prompt, ctrl-c is read from the input instead. */
  readonly interrupted: AbortSignal;
}

/** A text to print, without the line end: answers to the output, remarks about them to the errors. */
export interface Utterance {
  readonly to: 'output' | 'errors';
  readonly text: string;
}

export interface OutputStyle {
  readonly json: boolean;
  /** A terminal shows it, which would obey control characters. */
  readonly isTerminal: boolean;
  /** A person sits at a prompt, and reads everything that is said in the chat. */
  readonly isPrompt: boolean;
}

/** Undefined for what a person need not know. */
export function describeEvent(event: ChatEvent, style: OutputStyle): Utterance | undefined {
  switch (event.kind) {
    case 'spoken':
      return describeLine(event, style);
    case 'refused': {
      if (style.json) return output(JSON.stringify(event.line));
      const { message, next } = event.line;
      const reason = message.endsWith('.') ? message : `${message}.`;
      return remark([`The message was not taken: ${reason}`, next ?? ''].join(' ').trimEnd());
    }
    case 'finished':
      return describeEnd(event.status);
    case 'connection-lost':
      return remark('The connection to the daemon broke; waiting for it to come back …');
    case 'connected-again':
      return remark('Connected again.');
    case 'taken':
      return undefined;
  }
}

function describeLine(
  { line, isAnswer }: Extract<ChatEvent, { kind: 'spoken' }>,
  { json, isTerminal, isPrompt }: OutputStyle,
): Utterance {
  const tell = isAnswer || isPrompt ? output : remark;
  if (json) return tell(JSON.stringify(line));
  const text = describeSpoken(line);
  return tell(isTerminal ? withoutControls(text) : text);
}

function describeEnd(status: 'completed' | 'failed' | 'context'): Utterance | undefined {
  switch (status) {
    case 'completed':
      return undefined;
    case 'failed':
      return remark('The message failed; `berth logs` says why.');
    case 'context':
      return remark('The message was kept for later; nobody answers it now.');
  }
}

function describeSpoken(line: SpokenLine): string {
  switch (line.type) {
    case 'reply': {
      const files = line.files.map(({ name, path }) => `[file ${name}: ${path}]`);
      return [...(line.text === '' ? [] : [line.text]), ...files].join('\n');
    }
    case 'edit':
      return `(changed to) ${line.text}`;
    case 'react':
      return `(reaction) ${line.emoji}`;
  }
}

/** Texts of an agent may not move the cursor, set the title or fill the clipboard. */
function withoutControls(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '');
}

function output(text: string): Utterance {
  return { to: 'output', text };
}

function remark(text: string): Utterance {
  return { to: 'errors', text };
}
