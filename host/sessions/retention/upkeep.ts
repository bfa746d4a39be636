/**
 * Keeps Berth from growing without end. Slow on purpose: one session at a time, in slices with pauses, so that nobody
 * who waits for an answer notices. Due work is found through an index, never by going through all sessions.
 */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { delay } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import { PollLoop } from '../../../shared/base/poll-loop.js';
import type { Store } from '../../store/store.js';
import type { ClockJumps } from '../clock-jumps.js';
import { FileRetention } from './file-retention.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import { daysAgo, RowRetention } from './row-retention.js';
import type { SessionFolders } from '../session-folder.js';
import { SessionUpkeep } from './session-upkeep.js';
import { Trash } from './trash.js';

export interface UpkeepDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly folders: SessionFolders;
  /** On the file system of the sessions; made when missing. */
  readonly trashDir: string;
  readonly logPath: (sessionId: string) => string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The time between two polls for what is due, in milliseconds. */
  readonly pollIntervalMs: number;
  /** Between two sessions, in milliseconds. */
  readonly pauseMs: number;
  readonly clockJumps: Pick<ClockJumps, 'isInDoubt'>;
}

/** A message that its platform sends again within this time is known for a repeat. */
const keepReceivedDays = 30;
const keepSettledDays = 30;
/** Webhooks, audits and people read what happened within this time; how many events there are has a limit of its own. */
const keepEventsDays = 90;
/** The time for what waits for a person who does not come back, and for threads that nobody writes in. */
const keepUnusedDays = 365;

const rowsAtOnce = 50;
const slicePauseMs = 20;
const pageSize = 20;

export class Upkeep {
  readonly #deps: UpkeepDeps;
  readonly #loop: PollLoop;
  readonly #trash: Trash;
  readonly #sessions: SessionUpkeep;

  constructor(deps: UpkeepDeps) {
    this.#deps = deps;
    this.#trash = new Trash({ dir: deps.trashDir, log: deps.log });
    const rows = new RowRetention(deps);
    const files = new FileRetention({ ...deps, trash: this.#trash });
    this.#sessions = new SessionUpkeep({ ...deps, rows, files, trash: this.#trash });
    this.#loop = new PollLoop({
      name: 'upkeep',
      poll: (signal) => this.#poll(signal),
      intervalMs: deps.pollIntervalMs,
      log: deps.log,
    });
  }

  start(): void {
    this.#loop.start();
  }

  #trustsClock(): boolean {
    return !this.#deps.clockJumps.isInDoubt();
  }

  /** Resolves after the slice at hand; the rest waits for the next daemon. */
  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  async #poll(signal: AbortSignal): Promise<void> {
    if (!this.#trustsClock()) return;
    await this.#pruneCentral(signal);
    while (!signal.aborted && this.#trustsClock()) {
      const visited = await this.#visitSome(signal);
      // Also what a daemon before this one did not come to delete.
      await this.#trash.empty(signal);
      if (visited === 0) return;
    }
  }

  /** Every visit plans the next, so that what is due becomes less. Returns how many there were. */
  async #visitSome(signal: AbortSignal): Promise<number> {
    const { store, clock, pauseMs } = this.#deps;
    const due = store.dueItems.listDuePrunes(isoAt(clock.now()), pageSize);
    for (const sessionId of due) {
      if (signal.aborted || !this.#trustsClock()) return due.length;
      await this.#sessions.visit(sessionId, signal);
      await delay(pauseMs, signal);
    }
    return due.length;
  }

  async #pruneCentral(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#deps;
    const received = daysAgo(clock, keepReceivedDays);
    const settled = daysAgo(clock, keepSettledDays);
    const events = daysAgo(clock, keepEventsDays);
    const unused = daysAgo(clock, keepUnusedDays);
    const kinds: readonly ((limit: number) => number)[] = [
      (limit) => store.received.prune(received, limit),
      (limit) => store.notices.prune(settled, unused, limit),
      (limit) => store.requests.prune(settled, limit),
      (limit) => store.events.prune(events, limit),
      (limit) => store.actionReceipts.prune(settled, limit),
      (limit) => store.agentMessages.prune(unused, limit),
      (limit) => store.engagedThreads.prune(unused, limit),
      (limit) => store.repairs.prune(unused, limit),
    ];
    for (const prune of kinds) {
      for (let hasMore = true; hasMore && !signal.aborted;) {
        hasMore = prune(rowsAtOnce) === rowsAtOnce;
        if (hasMore) await delay(slicePauseMs, signal);
      }
    }
  }
}
