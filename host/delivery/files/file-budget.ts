/** How much the host copies for what containers want to send. Counted before anything is written, in bytes as a reader sees them. */
import { lstat, opendir, readdir, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BerthError, errnoOf } from '../../../shared/base/errors.js';

export interface FileLimits {
  /** Of one file. */
  readonly fileBytes: number;
  /** Of all files of one message. */
  readonly messageBytes: number;
  /** How many files one message may carry. */
  readonly messageFiles: number;
  /** Of all copies that are kept for one session; retention takes them away after `keepFilesDays`. */
  readonly sessionBytes: number;
  /** This much of the disk stays free: the share of its size, and no more than so many bytes. */
  readonly freeShare: number;
  readonly freeBytes: number;
}

const mib = 1024 ** 2;

export const defaultFileLimits: FileLimits = {
  fileBytes: 50 * mib,
  messageBytes: 250 * mib,
  messageFiles: 100,
  sessionBytes: 5 * 1024 * mib,
  freeShare: 0.05,
  freeBytes: 500 * mib,
};

/** A copy counts as at least this many bytes: that limits how many small ones a session has. */
const smallestCharge = 64 * 1024;

/** How long a session that has used up its room is not measured again, in milliseconds. */
const remeasureAfterMs = 60_000;

/** How many sessions' measures are kept. */
const maxMeasures = 1_000;

export interface CountedFile {
  readonly name: string;
  readonly size: number;
  /** Its copy is there already. */
  readonly isCopied: boolean;
}

interface Measure {
  /** May be too much, as when retention has been there since; never too little. */
  bytes: number;
  readonly measuredAtMs: number;
}

export interface FileBudgetDeps {
  /** The folder of the copies of a session's sent files. */
  readonly sentDir: (sessionId: string) => string;
  readonly limits: FileLimits;
  /** Milliseconds that never jump. */
  readonly monotonicNow: () => number;
}

export class FileBudget {
  readonly #deps: FileBudgetDeps;
  readonly #measures = new Map<string, Measure>();

  constructor(deps: FileBudgetDeps) {
    this.#deps = deps;
  }

  /** Throws file_refused where these files are too much, or disk_full where only the disk is too full for them now. */
  async admit(sessionId: string, files: readonly CountedFile[]): Promise<void> {
    const { fileBytes, messageBytes } = this.#deps.limits;
    for (const { name, size } of files) {
      if (size > fileBytes) {
        throw tooMuch(
          `The file ${quoteName(name)} was not sent: it is longer than ${inMib(fileBytes)}.`,
        );
      }
    }
    if (sum(files.map(({ size }) => size)) > messageBytes) {
      throw tooMuch(
        `The files of this message were not sent: together they are longer than ${inMib(messageBytes)}. Send fewer at once.`,
      );
    }
    const sizes = files.filter(({ isCopied }) => !isCopied).map(({ size }) => size);
    if (sizes.length === 0) return;
    await this.#assertDiskHasSpace(sessionId, sum(sizes));
    await this.#charge(sessionId, sum(sizes.map((size) => Math.max(size, smallestCharge))));
  }

  async #assertDiskHasSpace(sessionId: string, needed: number): Promise<void> {
    const { limits, sentDir } = this.#deps;
    const { blocks, bavail, bsize } = await statfs(dirname(sentDir(sessionId)));
    // Some network and user-space file systems do not say.
    if (blocks === 0) return;
    const kept = Math.min(blocks * bsize * limits.freeShare, limits.freeBytes);
    if (bavail * bsize - needed >= kept) return;
    throw new BerthError('disk_full', 'The disk is too full to copy files that are to be sent.', {
      next: 'Free some space where BERTH_HOME lies.',
    });
  }

  async #charge(sessionId: string, needed: number): Promise<void> {
    const { sessionBytes } = this.#deps.limits;
    const known = this.#measures.get(sessionId);
    const fits = (measure: Measure): boolean => measure.bytes + needed <= sessionBytes;
    const measure =
      known !== undefined && (fits(known) || this.#isFresh(known))
        ? known
        : await this.#measure(sessionId);
    if (!fits(measure)) {
      throw tooMuch(
        `The files of this message were not sent: what this conversation has sent in the last days takes up ${inMib(sessionBytes)} already.`,
      );
    }
    measure.bytes += needed;
  }

  #isFresh({ measuredAtMs }: Measure): boolean {
    return this.#deps.monotonicNow() - measuredAtMs < remeasureAfterMs;
  }

  async #measure(sessionId: string): Promise<Measure> {
    const bytes = await countBytes(this.#deps.sentDir(sessionId));
    const measure = { bytes, measuredAtMs: this.#deps.monotonicNow() };
    this.#measures.delete(sessionId);
    this.#measures.set(sessionId, measure);
    const oldest = this.#measures.keys().next();
    if (this.#measures.size > maxMeasures && oldest.done !== true) {
      this.#measures.delete(oldest.value);
    }
    return measure;
  }
}

/** A name in a sentence, as the agent wrote it; a very long one is cut. */
export function quoteName(name: string): string {
  const longest = 300;
  return JSON.stringify(name.length <= longest ? name : `${name.slice(0, longest - 1)}…`);
}

/** Of the host's own copies: a folder for each message, with files in it. */
async function countBytes(sentDir: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const entry of await opendir(sentDir)) {
      const dir = join(sentDir, entry.name);
      const names = entry.isDirectory() ? await readdir(dir) : [];
      for (const name of names) bytes += await chargeOf(join(dir, name));
    }
  } catch (error) {
    // Nothing was sent yet, or retention has just been there.
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  return bytes;
}

async function chargeOf(path: string): Promise<number> {
  return Math.max((await lstat(path)).size, smallestCharge);
}

function tooMuch(message: string): BerthError {
  return new BerthError('file_refused', message);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function inMib(bytes: number): string {
  return bytes >= mib ? `${Math.floor(bytes / mib)} MiB` : `${bytes} bytes`;
}
