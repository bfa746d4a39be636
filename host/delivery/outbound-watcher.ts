/**
 * Hints that a session's outbound.db has changed: by events of the mark that its runner touches after each commit, and by
 * polling, often where events may be missed.
 */
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import { commitMarkPath, outboundDbPath } from '../../shared/protocol/workspace.js';
import type { Nudges } from '../sessions/nudges.js';
import { lstatIfThere } from './commit-mark-view.js';
import { CommitMarkWatcher } from './commit-mark-watcher.js';

export interface OutboundWatcherDeps {
  /** A session's out/ folder. */
  readonly outDir: (sessionId: string) => string;
  /** The folder where the container's files get another name; no container reaches it. */
  readonly viewDir: (sessionId: string) => string;
  /** The safety net where events get lost, in milliseconds. */
  readonly pollIntervalMs: number;
  /**
   * How long a new watch may take until it is in place, in milliseconds: what is written before makes no event, so
   * that it is polled.
   */
  readonly settlingMs: number;
  readonly log: Logger;
  readonly nudges: Pick<Nudges, 'delivery'>;
}

/** How often a session is polled whose commits may make no event, in milliseconds. */
const closeIntervalMs = 100;
/** A poll that comes a little early counts as one of all sessions. */
const earlyShare = 0.75;

interface Watched {
  readonly sessionId: string;
  readonly outDir: string;
  readonly mark: CommitMarkWatcher;
  /** The state of the files when a change was told last. */
  seen: string;
}

export class OutboundWatcher {
  readonly #deps: OutboundWatcherDeps;
  readonly #watched = new Map<string, Watched>();
  /** Those that are polled closely. */
  readonly #close = new Set<Watched>();
  readonly #poll: PollLoop;
  #polledAllAt = -Infinity;

  constructor(deps: OutboundWatcherDeps) {
    this.#deps = deps;
    this.#poll = new PollLoop({
      name: 'outbound files',
      poll: () => {
        this.#pollDue();
      },
      intervalMs: () =>
        this.#close.size > 0 ? Math.min(closeIntervalMs, deps.pollIntervalMs) : deps.pollIntervalMs,
      log: deps.log,
    });
  }

  start(): void {
    this.#poll.start();
  }

  /** Watches a running session; no effect when it is watched already. */
  add(sessionId: string): void {
    if (this.#watched.has(sessionId)) return;
    const { settlingMs, log } = this.#deps;
    const outDir = this.#deps.outDir(sessionId);
    const mark = new CommitMarkWatcher({
      sessionId,
      outDir,
      viewDir: this.#deps.viewDir(sessionId),
      settlingMs,
      log,
      onTouched: () => {
        this.#tell(watched, examine(outDir));
      },
      onDeaf: () => {
        this.#pollClosely(watched);
      },
    });
    const watched: Watched = { sessionId, outDir, mark, seen: '' };
    this.#watched.set(sessionId, watched);
    this.#pollClosely(watched);
  }

  remove(sessionId: string): void {
    const watched = this.#watched.get(sessionId);
    if (watched === undefined) return;
    watched.mark.close();
    this.#watched.delete(sessionId);
    this.#close.delete(watched);
  }

  async stop(): Promise<void> {
    await this.#poll.stop();
    for (const sessionId of [...this.#watched.keys()]) this.remove(sessionId);
  }

  #pollClosely(watched: Watched): void {
    if (this.#close.has(watched)) return;
    this.#close.add(watched);
    this.#poll.nudge();
  }

  #pollDue(): void {
    const now = performance.now();
    const isForAll =
      this.#close.size === 0 || now - this.#polledAllAt >= this.#deps.pollIntervalMs * earlyShare;
    if (isForAll) this.#polledAllAt = now;
    for (const watched of isForAll ? [...this.#watched.values()] : [...this.#close]) {
      const files = examine(watched.outDir);
      watched.mark.follow(files.markIno);
      if (files.fingerprint !== watched.seen) this.#tell(watched, files);
      else this.#judge(watched, files);
    }
  }

  #tell(watched: Watched, files: Files): void {
    // Noted first: what is written from now on is a change once more.
    watched.seen = files.fingerprint;
    this.#judge(watched, files);
    this.#deps.nudges.delivery(watched.sessionId);
  }

  #judge(watched: Watched, { markIno, isMarkOlder }: Files): void {
    if (watched.mark.mayMiss(markIno, isMarkOlder)) this.#pollClosely(watched);
    else this.#close.delete(watched);
  }
}

/** The facts that can be told of outbound.db and its mark without opening them. */
interface Files {
  readonly fingerprint: string;
  /** Undefined where no file is in the mark's place. */
  readonly markIno: number | undefined;
  /** Something was committed since the mark was touched. */
  readonly isMarkOlder: boolean;
}

/** Asked of the kernel's memory, at a microsecond or two: a thread to ask it would cost ten times as much. */
function examine(outDir: string): Files {
  const db = lstatIfThere(outboundDbPath(outDir));
  const mark = lstatIfThere(commitMarkPath(outDir));
  const dbAt = db?.mtimeMs ?? -Infinity;
  return {
    fingerprint: db === undefined ? '' : `${dbAt} ${db.size} ${mark?.mtimeMs ?? ''}`,
    markIno: mark?.isFile() === true ? mark.ino : undefined,
    isMarkOlder: (mark?.mtimeMs ?? -Infinity) < dbAt,
  };
}
