/** The one door to chokidar: hints that a session's outbound.db has changed. */
import { existsSync, lstatSync } from 'node:fs';
import { basename, join } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import { outboundDbName, outboundDbPath } from '../../shared/protocol/workspace.js';

export interface OutboundWatcherDeps {
  /** A session's out/ folder. */
  readonly outDir: (sessionId: string) => string;
  /** The safety net where events get lost, in milliseconds. */
  readonly pollIntervalMs: number;
  /**
   * How long a new watch may take until it is in place, in milliseconds: what is written before makes no event, so
   * that it is polled.
   */
  readonly settlingMs: number;
  readonly log: Logger;
  readonly onChange: (sessionId: string) => void;
}

const journalName = `${outboundDbName}-journal`;

const settlingIntervalMs = 100;

interface Watched {
  readonly sessionId: string;
  /** Size and mtime at the last poll. */
  seen: string;
}

export class OutboundWatcher {
  readonly #deps: OutboundWatcherDeps;
  readonly #watched = new Map<string, Watched>();
  readonly #poll: PollLoop;
  #watcher: FSWatcher | undefined;
  /** When the watch of the folder that was added last is in place for certain, by performance.now(). */
  #settlesAt = 0;

  constructor(deps: OutboundWatcherDeps) {
    this.#deps = deps;
    this.#poll = new PollLoop({
      name: 'outbound files',
      look: () => {
        this.#pollAll();
      },
      intervalMs: () =>
        performance.now() < this.#settlesAt ? settlingIntervalMs : deps.pollIntervalMs,
      log: deps.log,
    });
  }

  start(): void {
    const watcher = watch([], { ignoreInitial: true, depth: 0, atomic: false, ignored: isNoise });
    // The raw event comes at once; chokidar's own events wait for a stat.
    watcher.on('raw', (event, name, details) => {
      if (event === 'rename') this.#hint(name, details);
    });
    watcher.on('error', (err) => {
      this.#deps.log.warn({ err }, 'file watch failed, polling goes on');
    });
    this.#watcher = watcher;
    this.#poll.start();
  }

  /** Watches a running session's folder; no effect when it is watched already. */
  add(sessionId: string): void {
    const outDir = this.#deps.outDir(sessionId);
    if (this.#watched.has(outDir)) return;
    this.#watched.set(outDir, { sessionId, seen: '' });
    this.#watcher?.add(outDir);
    this.#settlesAt = performance.now() + this.#deps.settlingMs;
    if (this.#deps.settlingMs > 0) this.#poll.nudge();
  }

  remove(sessionId: string): void {
    const outDir = this.#deps.outDir(sessionId);
    if (!this.#watched.delete(outDir)) return;
    this.#watcher?.unwatch(outDir);
  }

  async stop(): Promise<void> {
    await this.#poll.stop();
    await this.#watcher?.close();
    this.#watched.clear();
  }

  /** A commit ends with the journal's removal; before that there is nothing new to see. */
  #hint(name: string, details: unknown): void {
    if (name !== journalName) return;
    const path = watchedPathOf(details);
    const watched = path === undefined ? undefined : this.#watched.get(path);
    if (path === undefined || watched === undefined || existsSync(join(path, name))) return;
    this.#deps.onChange(watched.sessionId);
  }

  #pollAll(): void {
    for (const [outDir, watched] of this.#watched) {
      const seen = fingerprint(outboundDbPath(outDir));
      if (seen === watched.seen) continue;
      watched.seen = seen;
      this.#deps.onChange(watched.sessionId);
    }
  }
}

function watchedPathOf(details: unknown): string | undefined {
  if (typeof details !== 'object' || details === null || !('watchedPath' in details))
    return undefined;
  return typeof details.watchedPath === 'string' ? details.watchedPath : undefined;
}

/** The folder tells of the journal's removal; what lies in it is worth no watch of its own. */
function isNoise(path: string): boolean {
  return basename(path) !== 'out';
}

/** Asked of the kernel's memory, at a microsecond or two: a thread to ask it would cost ten times as much. */
function fingerprint(path: string): string {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat === undefined ? '' : `${stat.mtimeMs} ${stat.size}`;
  } catch {
    return '';
  }
}
