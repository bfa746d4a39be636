import { copyFile, open, rename, rm, stat, truncate, type FileHandle } from 'node:fs/promises';

export interface LogLimits {
  /** A file is rotated before it grows past this many bytes. */
  readonly maxBytes: number;
  /** How many old files are kept: `x.log.1` is the newest of them. */
  readonly keep: number;
}

export interface RotatingLogDeps extends LogLimits {
  readonly path: string;
}

interface Piece {
  readonly bytes: Buffer;
  readonly atMicros: number | undefined;
}

/** More than this waiting for the disk, and new lines are dropped. */
const maxQueuedBytes = 4_194_304;

/**
 * A log file of bounded size. Writing never blocks and never throws: what the disk does not take is dropped
 * and counted, and the log says so when it can be written again.
 */
export class RotatingLog {
  readonly #deps: RotatingLogDeps;
  #queue: Piece[] = [];
  #queuedBytes = 0;
  #flushing: Promise<void> | undefined;
  #file: { readonly handle: FileHandle; size: number } | undefined;
  #dropped = 0;
  #unreported = 0;

  constructor(deps: RotatingLogDeps) {
    this.#deps = deps;
  }

  /** How many lines were lost since this log was made. */
  get droppedLines(): number {
    return this.#dropped;
  }

  /** `atMicros` becomes the file's mtime once the text is in it: see findLastLogTime. */
  write(text: string | Buffer, atMicros?: number): void {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    if (this.#queuedBytes + bytes.length > maxQueuedBytes) {
      this.#drop(bytes);
      return;
    }
    this.#queue.push({ bytes, atMicros });
    this.#queuedBytes += bytes.length;
    this.#flushing ??= this.#flush();
  }

  /** Writes what waits, then lets go of the file. A later write opens it again. */
  async close(): Promise<void> {
    // A line that is written while the file is being closed opens it again.
    while (this.#flushing !== undefined || this.#file !== undefined) {
      await this.#flushing;
      await this.#closeFile();
    }
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const pieces = this.#queue;
      this.#queue = [];
      this.#queuedBytes = 0;
      const bytes = Buffer.concat(pieces.map((piece) => piece.bytes));
      try {
        await this.#append(bytes, pieces.at(-1)?.atMicros);
      } catch {
        this.#drop(bytes);
        await this.#closeFile();
      }
    }
    this.#flushing = undefined;
  }

  async #append(bytes: Buffer, atMicros: number | undefined): Promise<void> {
    const { path, maxBytes, keep } = this.#deps;
    let file = await this.#openFile();
    if (file.size > 0 && file.size + bytes.length > maxBytes) {
      await this.#closeFile();
      await rotate(path, keep);
      file = await this.#openFile();
    }
    const report = this.#report();
    const all = report === undefined ? bytes : Buffer.concat([report, bytes]);
    await file.handle.appendFile(all);
    this.#unreported = 0;
    file.size += all.length;
    if (atMicros !== undefined) {
      // Half a microsecond more, so that cutting the decimals of a second gives the same microsecond again.
      await file.handle.utimes(atMicros / 1e6, (atMicros + 0.5) / 1e6);
    }
  }

  async #openFile(): Promise<{ readonly handle: FileHandle; size: number }> {
    if (this.#file === undefined) {
      const handle = await open(this.#deps.path, 'a', 0o600);
      this.#file = { handle, size: (await handle.stat()).size };
    }
    return this.#file;
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close().catch(() => undefined);
  }

  #drop(bytes: Buffer): void {
    const lines = Math.max(1, bytes.toString('latin1').split('\n').length - 1);
    this.#dropped += lines;
    this.#unreported += lines;
  }

  #report(): Buffer | undefined {
    if (this.#unreported === 0) return undefined;
    const time = new Date().toISOString();
    const facts = { level: 'warn', time, lines: this.#unreported, msg: 'log lines dropped' };
    return Buffer.from(`${JSON.stringify(facts)}\n`);
  }
}

/** The time of the last piece in a log, in microseconds since the epoch; 0 when there is none. */
export async function findLastLogTime(path: string): Promise<number> {
  try {
    return Number((await stat(path, { bigint: true })).mtimeNs / 1_000n);
  } catch {
    return 0;
  }
}

/** Rotates a large file before someone opens it to append. Never throws: a log is not worth a start. */
export async function rotateIfLarge(path: string, limits: LogLimits): Promise<void> {
  if (await isLarge(path, limits)) await rotate(path, limits.keep).catch(() => undefined);
}

/**
 * The same for a file that another program holds open to append: copies, then empties it. Lines that the program writes
 * between the two are lost.
 */
export async function copyAndTruncateIfLarge(path: string, limits: LogLimits): Promise<void> {
  if (!(await isLarge(path, limits))) return;
  try {
    await shiftOldFiles(path, limits.keep);
    if (limits.keep > 0) await copyFile(path, `${path}.1`);
  } catch {
    // A full disk has no room for the copy; emptying the file is what helps.
  }
  await truncate(path, 0).catch(() => undefined);
}

async function isLarge(path: string, limits: LogLimits): Promise<boolean> {
  try {
    return (await stat(path)).size >= limits.maxBytes;
  } catch {
    return false;
  }
}

async function rotate(path: string, keep: number): Promise<void> {
  await shiftOldFiles(path, keep);
  if (keep > 0) await rename(path, `${path}.1`);
  else await rm(path, { force: true });
}

/** `.1` becomes `.2` and so on; the oldest is overwritten. */
async function shiftOldFiles(path: string, keep: number): Promise<void> {
  for (let age = keep - 1; age >= 1; age -= 1) {
    await rename(`${path}.${age}`, `${path}.${age + 1}`).catch(() => undefined);
  }
}
