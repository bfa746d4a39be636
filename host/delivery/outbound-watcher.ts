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

/** Of one session in a second: a commit makes half a dozen, a turn twice as many, and a fast one takes ten milliseconds. */
const mostEvents = 2_500;
const floodWindowMs = 1_000;
/** How long a session is polled after it has made more. */
const mutedMs = 5_000;

interface Watched {
  readonly sessionId: string;
  /** Size and mtime at the last poll. */
  seen: string;
  /** Of this window; see mostEvents. */
  events: number;
  windowEndsAt: number;
  /** Its events are not listened to until then, by performance.now(). */
  mutedUntil: number | undefined;
}

export class OutboundWatcher {
  readonly #deps: OutboundWatcherDeps;
  readonly #watched = new Map<string, Watched>();
  readonly #poll: PollLoop;
  #watcher: FSWatcher | undefined;
  /** When the watch of the folder that was added last is in place for certain, by performance.now(). */
  #settlesAt = 0;
  /** How many sessions are muted. */
  #muted = 0;

  constructor(deps: OutboundWatcherDeps) {
    this.#deps = deps;
    this.#poll = new PollLoop({
      name: 'outbound files',
      look: () => {
        this.#pollAll();
      },
      intervalMs: () =>
        this.#muted > 0 || performance.now() < this.#settlesAt
          ? settlingIntervalMs
          : deps.pollIntervalMs,
      log: deps.log,
    });
  }

  start(): void {
    const watcher = watch([], { ignoreInitial: true, depth: 0, atomic: false, ignored: isNoise });
    // The raw event comes at once; chokidar's own events wait for a stat.
    watcher.on('raw', (event, name, details) => {
      this.#take(event, name, details);
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
    const quiet = { events: 0, windowEndsAt: 0, mutedUntil: undefined };
    this.#watched.set(outDir, { sessionId, seen: '', ...quiet });
    this.#watcher?.add(outDir);
    this.#settlesAt = performance.now() + this.#deps.settlingMs;
    if (this.#deps.settlingMs > 0) this.#poll.nudge();
  }

  remove(sessionId: string): void {
    const outDir = this.#deps.outDir(sessionId);
    const watched = this.#watched.get(outDir);
    if (watched === undefined) return;
    this.#watched.delete(outDir);
    if (watched.mutedUntil === undefined) this.#watcher?.unwatch(outDir);
    else this.#muted -= 1;
  }

  async stop(): Promise<void> {
    await this.#poll.stop();
    await this.#watcher?.close();
    this.#watched.clear();
    this.#muted = 0;
  }

  #take(event: string, name: string, details: unknown): void {
    const path = watchedPathOf(details);
    const watched = path === undefined ? undefined : this.#watched.get(path);
    if (path === undefined || watched?.mutedUntil !== undefined || watched === undefined) return;
    if (isFlood(watched)) this.#mute(path, watched);
    // A commit ends with the journal's removal; before that there is nothing new to see.
    else if (event === 'rename' && name === journalName && !existsSync(join(path, name)))
      this.#deps.onChange(watched.sessionId);
  }

  /** Events that come faster than they can be taken would keep this thread from everything else. */
  #mute(outDir: string, watched: Watched): void {
    const { log } = this.#deps;
    log.warn({ sessionId: watched.sessionId }, 'too many file events, polling instead');
    this.#watcher?.unwatch(outDir);
    watched.mutedUntil = performance.now() + mutedMs;
    this.#muted += 1;
    this.#poll.nudge();
  }

  #unmute(outDir: string, watched: Watched): void {
    watched.mutedUntil = undefined;
    this.#muted -= 1;
    this.#watcher?.add(outDir);
    this.#settlesAt = performance.now() + this.#deps.settlingMs;
  }

  #pollAll(): void {
    const now = performance.now();
    for (const [outDir, watched] of this.#watched) {
      if (watched.mutedUntil !== undefined && now >= watched.mutedUntil)
        this.#unmute(outDir, watched);
      const seen = fingerprint(outboundDbPath(outDir));
      if (seen === watched.seen) continue;
      watched.seen = seen;
      this.#deps.onChange(watched.sessionId);
    }
  }
}

function isFlood(watched: Watched): boolean {
  const now = performance.now();
  if (now > watched.windowEndsAt) {
    watched.windowEndsAt = now + floodWindowMs;
    watched.events = 0;
  }
  watched.events += 1;
  return watched.events > mostEvents;
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
