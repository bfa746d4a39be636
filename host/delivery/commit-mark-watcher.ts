/** The one door to chokidar: events of one session's commit mark. */
import { watch, type FSWatcher } from 'chokidar';
import type { Logger } from '../../shared/base/logger.js';
import { viewCommitMark } from './commit-mark-view.js';

export interface CommitMarkWatcherDeps {
  readonly sessionId: string;
  readonly outDir: string;
  /** The folder where the mark gets another name; no container reaches it. */
  readonly viewDir: string;
  /** How long a new watch may take until it is in place, in milliseconds: what is touched before makes no event. */
  readonly settlingMs: number;
  readonly log: Logger;
  readonly onTouched: () => void;
  /** Events are not listened to any more, for a while. */
  readonly onDeaf: () => void;
}

/** Of one session in a second: a commit makes one, and takes a millisecond or two on a disk that keeps what it is told. */
const mostEvents = 1_000;
const floodWindowMs = 1_000;
/** How long there is no watch after too many events, or after it could not be made. */
const deafMs = 5_000;
/** The least time between two watches: a container may exchange its mark again and again. */
const pauseMs = 100;

export class CommitMarkWatcher {
  readonly #deps: CommitMarkWatcherDeps;
  #watcher: FSWatcher | undefined;
  #ino: number | undefined;
  /** By performance.now(), as all times here. */
  #settlesAt = 0;
  #pausedUntil = 0;
  #windowEndsAt = 0;
  #events = 0;
  #hasMarked = false;
  #isInPlace = false;
  #hasFailed = false;

  constructor(deps: CommitMarkWatcherDeps) {
    this.#deps = deps;
  }

  /** `ino`: of the mark under the container's name now; undefined where no file is there. */
  follow(ino: number | undefined): void {
    if (ino === this.#ino && this.#watcher !== undefined) return;
    this.#unwatch();
    const now = performance.now();
    if (ino === undefined || now < this.#pausedUntil) return;
    this.#pausedUntil = now + pauseMs;
    const { outDir, viewDir, settlingMs } = this.#deps;
    const view = viewCommitMark(outDir, viewDir);
    if (view === undefined) return;
    this.#settlesAt = now + settlingMs;
    this.#ino = view.ino;
    this.#watcher = this.#watch(view.path);
  }

  /** A commit may go by without an event. `ino`: as above. `isOlder`: the mark is older than the last commit. */
  mayMiss(ino: number | undefined, isOlder: boolean): boolean {
    if (this.#watcher === undefined || ino !== this.#ino) return true;
    if (!this.#isInPlace || performance.now() < this.#settlesAt) return true;
    // A runner that has marked once marks each commit but claims; of another one it is not known whether it does.
    return isOlder && !this.#hasMarked;
  }

  close(): void {
    this.#unwatch();
  }

  #watch(path: string): FSWatcher {
    const watcher = watch(path, {
      ignoreInitial: true,
      followSymlinks: false,
      atomic: false,
      depth: 0,
    });
    // The raw event comes at once; chokidar's own events wait for a stat.
    watcher.on('raw', () => {
      this.#take();
    });
    watcher.on('ready', () => {
      this.#isInPlace = true;
    });
    watcher.on('error', (err) => {
      const { log, sessionId } = this.#deps;
      if (!this.#hasFailed) log.warn({ err, sessionId }, 'file watch failed, polling instead');
      this.#hasFailed = true;
      this.#turnDeaf();
    });
    return watcher;
  }

  #take(): void {
    this.#hasMarked = true;
    if (!this.#isFlood()) {
      this.#deps.onTouched();
      return;
    }
    const { log, sessionId } = this.#deps;
    log.warn({ sessionId }, 'too many file events, polling instead');
    this.#turnDeaf();
  }

  /** Events that come faster than they can be taken would keep this thread from everything else. */
  #turnDeaf(): void {
    this.#unwatch();
    this.#pausedUntil = performance.now() + deafMs;
    this.#deps.onDeaf();
  }

  #isFlood(): boolean {
    const now = performance.now();
    if (now > this.#windowEndsAt) {
      this.#windowEndsAt = now + floodWindowMs;
      this.#events = 0;
    }
    this.#events += 1;
    return this.#events > mostEvents;
  }

  #unwatch(): void {
    void this.#watcher?.close();
    this.#watcher = undefined;
    this.#ino = undefined;
    this.#hasMarked = false;
    this.#isInPlace = false;
  }
}
