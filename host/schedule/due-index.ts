/** Finds due work through the central database: one timer to the earliest, never a look into every session. */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import type { DueItem } from '../store/due-items.js';
import type { Store } from '../store/store.js';

export interface DueIndexDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called for everything that is due, again and again until it is cleared or put off. */
  readonly onDue: (item: DueItem) => void;
}

/** The longest sleep: a clock that was set back or forward is noticed this late, in milliseconds. */
const longestSleepMs = 30_000;
/** The shortest: what stays due is not asked for more often than this. */
const shortestSleepMs = 50;
const pageSize = 1_000;

export class DueIndex {
  readonly #deps: DueIndexDeps;
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;
  #isRunning = false;

  constructor(deps: DueIndexDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#isRunning = true;
    this.look();
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  /** Something was put into the index: the next due time may have changed, or have come already. */
  refresh(): void {
    if (!this.#isRunning) return;
    const next = this.#findNextAfter('');
    // Told again and again, it must not begin its shortest sleep anew each time.
    const soonest = this.#deps.clock.now() + shortestSleepMs;
    if (Math.max(next, soonest) < this.#wakesAt) this.#sleepUntil(next);
  }

  /** Reports what is due now. Called by the timer, and when another process has written. */
  look(): void {
    if (!this.#isRunning) return;
    const { store, clock, onDue, log } = this.#deps;
    const now = isoAt(clock.now());
    try {
      for (const item of store.dueItems.listDue(now, pageSize)) onDue(item);
      // Reporting takes a while: what has become due meanwhile is next.
      this.#sleepUntil(this.#findNextAfter(now));
    } catch (err) {
      log.error({ err }, 'due work could not be read');
      this.#sleepUntil(clock.now() + 1_000);
    }
  }

  #findNextAfter(iso: string): number {
    const next = Date.parse(this.#deps.store.dueItems.findNextAfter(iso) ?? '');
    return Number.isNaN(next) ? Number.POSITIVE_INFINITY : next;
  }

  #sleepUntil(epochMs: number): void {
    if (!this.#isRunning) return;
    clearTimeout(this.#timer);
    const waitMs = Math.min(
      Math.max(epochMs - this.#deps.clock.now(), shortestSleepMs),
      longestSleepMs,
    );
    this.#wakesAt = this.#deps.clock.now() + waitMs;
    this.#timer = setTimeout(() => {
      this.look();
    }, waitMs);
  }
}
