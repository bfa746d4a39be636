/** Finds out what a person says with one command: its words, what comes from standard input, or both as one message. */
import { BerthError } from '../../../shared/base/errors.js';
import { delay } from '../../../shared/base/lifecycle.js';
import { maxClientLineBytes } from '../../channels/terminal/terminal-protocol.js';

export interface SaidTextOptions {
  readonly words: readonly string[];
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** How long standard input may say nothing where there are words, in milliseconds. */
  readonly silenceMs?: number;
  /** Takes a remark for the person. */
  readonly note: (text: string) => void;
}

/** As the last word: waits for standard input, however long that takes. */
const waits = '-';

/**
 * Undefined where a person sits there and has said nothing yet. Some who start a command leave its input open and never
 * write: where there are words, that ends the wait. Throws invalid_input for what is too long.
 */
export async function readSaidText({
  words,
  input,
  silenceMs = 2_000,
  note,
}: SaidTextOptions): Promise<string | undefined> {
  const isPatient = words.at(-1) === waits;
  const spoken = (isPatient ? words.slice(0, -1) : words).join(' ');
  if (input.isTTY === true && !isPatient) return words.length === 0 ? undefined : spoken;
  const isShort = spoken.trim() !== '' && !isPatient;
  const piped = await readAll(input, isShort ? silenceMs : undefined);
  if (piped === undefined) {
    note(
      `Nothing came from standard input for ${silenceMs / 1_000} s: it is left out. End the words with - to wait for it, or add </dev/null.`,
    );
  }
  return [spoken, (piped ?? '').trimEnd()].filter((part) => part.trim() !== '').join('\n\n');
}

/** Undefined where nothing came for so long. */
async function readAll(
  input: NodeJS.ReadableStream,
  silenceMs: number | undefined,
): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  const silence = new AbortController();
  const ended = new Promise<'ended'>((resolve, reject) => {
    input.on('data', (chunk: Buffer | string) => {
      silence.abort();
      chunks.push(Buffer.from(chunk));
      size += chunk.length;
      if (size > maxClientLineBytes) reject(tooLong());
    });
    input.once('end', () => {
      resolve('ended');
    });
    input.once('error', reject);
  });
  if (silenceMs !== undefined) {
    const isSilent = delay(silenceMs, silence.signal).then(() => !silence.signal.aborted);
    const first = await Promise.race([ended, isSilent]);
    silence.abort();
    if (first === true) {
      ended.catch(() => undefined);
      input.removeAllListeners('data');
      input.pause();
      return undefined;
    }
  }
  await ended;
  return Buffer.concat(chunks).toString('utf8');
}

function tooLong(): BerthError {
  return new BerthError('invalid_input', `The text is longer than ${maxClientLineBytes} bytes.`, {
    next: 'Put it into a file that the agent can read, and say where it is.',
  });
}
