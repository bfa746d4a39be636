/**
 * Finds due work through the central database: one timer to the earliest, and never a read of every session. Items that
 * have been reported are not read again while nothing changes, however many of them wait; once in a while all of them
 * are.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import { untilSharedTick } from '../../shared/base/shared-tick.js';
import type { ClockJumps } from '../sessions/clock-jumps.js';
import type { DueItem, SharedDueKind } from '../store/due-items.js';
import type { Store } from '../store/store.js';

export interface DueIndexDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Milliseconds that go on evenly, whatever the clock is set to. */
  readonly monotonicNow: () => number;
  readonly log: Logger;
  /** Called for everything that is due, once soon, and now and then again until it is cleared or put off. */
  readonly onDue: (item: DueItem<SharedDueKind>) => void;
  readonly clockJumps: Pick<ClockJumps, 'check'>;
}

/** The longest sleep: a clock that was set back or forward is noticed this late, in milliseconds. */
const longestSleepMs = 1_000;
/** The shortest: many changes are read together. */
const shortestSleepMs = 50;
/** How often everything that is due is reported again: the safety net. */
const fullWalkEveryMs = 30_000;
/** Another process has read its clock some time before what it wrote could be seen. */
const foreignDelayMs = 5_000;
/** How many are reported before others get their turn. */
const pageSize = 100;
const afterFailureMs = 1_000;
const everything = '';

export class DueIndex {
  readonly #deps: DueIndexDeps;
  #timer: NodeJS.Timeout | undefined;
  #nextPage: NodeJS.Immediate | undefined;
  /** When to walk next, by the clock. */
  #wakesAt = Number.POSITIVE_INFINITY;
  #isRunning = false;
  /** Items that became due before that time (ISO-8601) has been reported. */
  #reportedBefore = everything;
  #fullWalkAt = 0;
  /** How many jumps of the clock are known. */
  #jumps = 0;

  constructor(deps: DueIndexDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#isRunning = true;
    this.#deps.store.dueItems.watch((dueAt) => {
      this.#noteWrite(dueAt);
    });
    this.#jumps = this.#deps.clockJumps.check();
    this.#walk();
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    clearImmediate(this.#nextPage);
  }

  /** Another process may have put something into the index. */
  readAgain(): void {
    if (!this.#isRunning) return;
    this.#reportFrom(isoAt(this.#deps.clock.now() - foreignDelayMs));
    this.#walk();
  }

  /** This process has written a due time: the next one may have changed, or have come already. */
  #noteWrite(dueAt: string): void {
    if (!this.#isRunning) return;
    this.#reportFrom(dueAt);
    // Told again and again, it must not begin its shortest sleep anew each time.
    const soonest = this.#deps.clock.now() + shortestSleepMs;
    const dueMs = Date.parse(dueAt);
    if (Math.max(dueMs, soonest) < this.#wakesAt) this.#sleepUntil(dueMs);
  }

  #reportFrom(iso: string): void {
    if (iso < this.#reportedBefore) this.#reportedBefore = iso;
  }

  /** Reports what is due now. */
  #walk(): void {
    // The report in progress goes on, and is followed by another walk.
    if (this.#nextPage !== undefined) return;
    const { clock, monotonicNow } = this.#deps;
    if (monotonicNow() >= this.#fullWalkAt) {
      this.#fullWalkAt = monotonicNow() + fullWalkEveryMs;
      this.#reportedBefore = everything;
    }
    const until = isoAt(clock.now());
    this.#reportFrom(until);
    const from = this.#reportedBefore;
    this.#reportedBefore = until;
    this.#reportPage({ dueAt: from }, until);
  }

  #reportPage(after: { readonly dueAt: string }, until: string): void {
    this.#nextPage = undefined;
    const { store, clock, onDue, log } = this.#deps;
    try {
      const page = store.dueItems.listDuePage(after, until, pageSize);
      for (const item of page) onDue(item);
      const last = page.at(-1);
      if (last !== undefined && page.length === pageSize) {
        this.#nextPage = setImmediate(() => {
          this.#reportPage(last, until);
        });
        return;
      }
      this.#sleepUntil(this.#findNext(until));
    } catch (err) {
      log.error({ err }, 'due work could not be read');
      this.#reportedBefore = everything;
      this.#sleepUntil(clock.now() + afterFailureMs);
    }
  }

  /** Reporting takes a while: what has become due meanwhile is next, and so is what others have told of. */
  #findNext(until: string): number {
    if (this.#reportedBefore < until) return this.#deps.clock.now();
    const next = Date.parse(this.#deps.store.dueItems.findNextAfter(until) ?? '');
    return Number.isNaN(next) ? Number.POSITIVE_INFINITY : next;
  }

  #sleepUntil(epochMs: number): void {
    if (!this.#isRunning) return;
    const { clock, monotonicNow } = this.#deps;
    const fullWalkAt = clock.now() + this.#fullWalkAt - monotonicNow();
    this.#wakesAt = Math.max(Math.min(epochMs, fullWalkAt), clock.now() + shortestSleepMs);
    this.#doze();
  }

  #doze(): void {
    clearTimeout(this.#timer);
    const waitMs = Math.min(
      this.#wakesAt - this.#deps.clock.now(),
      untilSharedTick(longestSleepMs, this.#deps.monotonicNow()),
    );
    this.#timer = setTimeout(() => {
      this.#noticeClock();
      if (this.#deps.clock.now() >= this.#wakesAt) this.#walk();
      else this.#doze();
    }, waitMs);
  }

  /** All times have come nearer or gone further away: everything is read anew. */
  #noticeClock(): void {
    const jumps = this.#deps.clockJumps.check();
    if (jumps === this.#jumps) return;
    this.#jumps = jumps;
    this.#reportedBefore = everything;
    this.#wakesAt = this.#deps.clock.now();
  }
}
