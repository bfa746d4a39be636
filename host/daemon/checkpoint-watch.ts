import { stat } from 'node:fs/promises';
import { hasCode } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';

export interface CheckpointWatchDeps {
  /** Of the database whose write-ahead log is watched. */
  readonly path: string;
  /** Copies the log into the database, on another thread. */
  readonly checkpoint: (path: string) => Promise<void>;
  readonly isDiskSlow: () => boolean;
  readonly log: Logger;
  /** The time between two polls, in milliseconds. */
  readonly intervalMs?: number;
}

/** As journal_size_limit: a log that begins anew is cut to it, and is longer only when so much was written. In bytes. */
export const longLogBytes = 4_194_304;
/** The same where the disk is slow. */
const longLogBytesIfSlow = 8 * longLogBytes;
/** If the other thread does not come to it, a commit does it by itself at that length; in pages of 4 KiB. */
export const maxLogPages = (16 * longLogBytes) / 4_096;

/**
 * Has the write-ahead log of central.db copied into the database when it is long: a commit that did it would wait for
 * the disk several times. A commit still waits once when it begins the log anew after that, and SQLite lets nobody else
 * do this: so that comes more seldom where the disk is slow. Source: walRestartLog and sqlite3WalFrames in SQLite's
 * wal.c.
 */
export class CheckpointWatch {
  readonly #deps: CheckpointWatchDeps;
  readonly #poll: PollLoop;
  /** The log as it was when it was copied last. */
  #copied = '';

  constructor(deps: CheckpointWatchDeps) {
    this.#deps = deps;
    this.#poll = new PollLoop({
      name: 'checkpoint',
      poll: () => this.#pollOnce(),
      intervalMs: deps.intervalMs ?? 2_000,
      log: deps.log,
    });
  }

  start(): void {
    this.#poll.start();
  }

  async stop(): Promise<void> {
    await this.#poll.stop();
  }

  async #pollOnce(): Promise<void> {
    const { path, checkpoint } = this.#deps;
    const found = await stat(`${path}-wal`).catch(() => undefined);
    const limit = this.#deps.isDiskSlow() ? longLogBytesIfSlow : longLogBytes;
    if (found === undefined || found.size <= limit) return;
    const mark = `${found.size} ${found.mtimeMs}`;
    if (mark === this.#copied) return;
    try {
      await checkpoint(path);
      this.#copied = mark;
    } catch (error) {
      // A command is at it right now.
      if (!hasCode(error, 'database_busy')) throw error;
    }
  }
}
