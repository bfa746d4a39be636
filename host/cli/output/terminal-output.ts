/** Everything a command says goes through here: results to stdout, remarks and errors to stderr. */

import { BerthError, errnoOf } from '../../../shared/base/errors.js';
import { wrapWords } from './word-wrap.js';

export type OutputStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

/** Describes a failure to the outside. `code` is a BerthError's, or `usage`. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly next?: string | undefined;
}

export interface TerminalOutputDeps {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly isJson: () => boolean;
}

/**
 * The characters that terminals obey and JSON lets through: DEL and C1 controls, and what turns the direction of text.
 */
const obeyed = /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

export class TerminalOutput {
  readonly #deps: TerminalOutputDeps;
  readonly #closed = new AbortController();
  #unwritten: BerthError | undefined;

  constructor(deps: TerminalOutputDeps) {
    this.#deps = deps;
  }

  get isJson(): boolean {
    return this.#deps.isJson();
  }

  /** Columns to keep to; Infinity where no terminal shows it. */
  get width(): number {
    return widthOf(this.#deps.stdout);
  }

  /** Aborts when nobody reads stdout any more, as after `| head`. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Why a result is missing where it was to be written, as on a full disk. A reader that has gone is no failure. */
  get unwritten(): BerthError | undefined {
    return this.#unwritten;
  }

  /** Begins to notice when nobody reads any more. */
  start(): void {
    const { stdout, stderr } = this.#deps;
    stdout.on('error', (error: Error) => {
      if (errnoOf(error) !== 'EPIPE') this.#unwritten ??= notWritten(error);
      this.#closed.abort();
    });
    stderr.on('error', () => undefined);
  }

  /** A command's one result: the value with --json, the text otherwise. */
  result(value: unknown, describe: (width: number) => string): void {
    this.line(this.isJson ? JSON.stringify(value, null, 2) : describe(this.width));
  }

  line(text: string): void {
    if (!this.closed.aborted) this.#deps.stdout.write(`${this.#harmless(text)}\n`);
  }

  /** Beside the result: progress, remarks. */
  note(text: string): void {
    this.#deps.stderr.write(`${this.#harmless(text)}\n`);
  }

  /** JSON means the same with them escaped, and a terminal does not obey them then. Text is made harmless where it is made. */
  #harmless(text: string): string {
    if (!this.isJson) return text;
    return text.replace(obeyed, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  }

  failure(failure: Failure): void {
    const { code, message, next } = failure;
    if (this.isJson) this.note(JSON.stringify({ error: { code, message, next: next ?? null } }));
    else for (const said of [message, ...(next === undefined ? [] : [next])]) this.#sentence(said);
  }

  /** Its own line ends stay, and so do lines that are indented: they are commands to be copied. */
  #sentence(text: string): void {
    const width = widthOf(this.#deps.stderr);
    for (const line of text.split('\n')) {
      this.note(line.startsWith('  ') ? line : wrapWords(line, width).join('\n'));
    }
  }

  /** Resolves when what was said so far has been handed over, or cannot be. */
  async flush(): Promise<void> {
    const { stdout, stderr } = this.#deps;
    await Promise.all([flushed(stdout), flushed(stderr)]);
  }
}

function widthOf(stream: OutputStream): number {
  return stream.isTTY === true ? columnsOf(stream) : Number.POSITIVE_INFINITY;
}

/** A terminal that does not know its size says 0. */
export function columnsOf({ columns = 0 }: OutputStream): number {
  return columns > 0 ? columns : 80;
}

function notWritten(error: Error): BerthError {
  const why = errnoOf(error) === 'ENOSPC' ? 'the disk is full' : error.message;
  return new BerthError('io_failed', `The output could not be written: ${why}.`, { cause: error });
}

function flushed(stream: OutputStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => {
      resolve();
    });
  });
}
