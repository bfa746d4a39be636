/**
 * Re-bases what waits when the system clock jumps. Times that wait are stored by that clock, so a jump changes how long
 * each still waits. After a jump, in this order:
 * 1. Forward by more than a correction: nothing old is taken away for a day (isInDoubt). Work that became due is due.
 * 2. Back: for an hour, a pass plans anew what a clock far ahead has planned (isReplanning; task-series.ts).
 * 3. Back: waits in central.db lose what they gained, in one transaction, and every session that waits becomes due.
 * 4. Back: the pass over each of them makes rows of its inbound.db due that wait too long (waitsTooLong).
 * 2 and 3 come before any pass that they make due; 4 needs no memory, so that it also follows a jump nobody saw.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import type { OpenInbound } from '../../shared/protocol/mailbox/inbound-rows.js';
import type { Store } from '../store/store.js';
import { backoffMs, failuresInRound, type RetryLimits } from './retry-policy.js';

export interface ClockJumpsDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Milliseconds that go on evenly, whatever the clock is set to. */
  readonly monotonicNow: () => number;
  readonly log: Logger;
}

/** A clock that is only being corrected moves by less, from one check to the next, in milliseconds. */
const jumpMs = 500;
/** A clock that is only being corrected is behind its own word by less, in milliseconds. */
const slackMs = 60_000;
/** A clock that was off for longer than this is a clock that was wrong, in milliseconds. */
const muchMs = 60 * 60 * 1_000;
/** Time in which no daemon ran may be as long as this; longer, it may also be the clock that is wrong. */
const longAwayMs = 7 * 24 * 60 * 60 * 1_000;

/** Data that was taken away by a clock that was wrong does not come back: a clock in doubt has a day to be set right. */
const doubtMs = 24 * 60 * 60 * 1_000;
/** Every session with a task is passed over within it, in milliseconds. */
const replanMs = 60 * 60 * 1_000;

/** No retry is planned further ahead than this, in milliseconds. */
const longestWaitMs = 70 * 60_000;
/** Nor is a session visited less often, in milliseconds. */
const longestPruneWaitMs = 8 * 24 * 60 * 60 * 1_000;

export class ClockJumps {
  readonly #deps: ClockJumpsDeps;
  /** How far the clock is ahead of the uptime; undefined before the first check. */
  #leadMs: number | undefined;
  #count = 0;
  /** Epoch milliseconds. */
  #replansUntil = 0;
  /** By monotonicNow. */
  #trustsClockFrom = 0;

  constructor(deps: ClockJumpsDeps) {
    this.#deps = deps;
  }

  /**
   * Compares the clock with the uptime and does what a jump since the check before asks for. Returns how many jumps there
   * were since the start of the daemon. Never throws: what could not be written is tried again at the next check.
   */
  check(): number {
    const { clock, monotonicNow, log } = this.#deps;
    const leadMs = clock.now() - monotonicNow();
    const byMs = Math.round(leadMs - (this.#leadMs ?? leadMs));
    if (Math.abs(byMs) >= jumpMs) {
      log.warn({ byMs }, 'system clock was set');
      try {
        this.#follow(byMs);
      } catch (err) {
        log.error({ err, byMs }, 'waits could not be adjusted to the clock');
        return this.#count;
      }
      this.#count += 1;
    }
    this.#leadMs = leadMs;
    return this.#count;
  }

  /**
   * Compares the clock with what it said when a daemon last wrote something (ISO-8601): a jump while none ran. Throws
   * what the store throws.
   */
  noteLastTime(lastTime: string): void {
    const sinceMs = this.#deps.clock.now() - Date.parse(lastTime);
    if (sinceMs < -slackMs || sinceMs > longAwayMs) this.#follow(sinceMs);
  }

  /** The clock was set back within the last hour: what was planned while it was far ahead may be planned anew. */
  get isReplanning(): boolean {
    return this.#deps.clock.now() < this.#replansUntil;
  }

  /**
   * Whether the clock has gone far ahead, and may be wrong. It checks first: what is taken away in the second before
   * anybody else reads the clock does not come back either.
   */
  isInDoubt(): boolean {
    this.check();
    return this.#deps.monotonicNow() < this.#trustsClockFrom;
  }

  #follow(byMs: number): void {
    const { store, clock, monotonicNow, log } = this.#deps;
    if (byMs > muchMs) {
      this.#trustsClockFrom = monotonicNow() + doubtMs;
      log.warn({ forMs: doubtMs }, 'clock in doubt: nothing old is taken away for a while');
    }
    if (byMs >= 0) return;
    this.#replansUntil = clock.now() + replanMs;
    rebaseWaits(store, clock.now(), -byMs);
  }
}

/**
 * Lets what was to wait for a while wait no longer for that; what is planned for a time of day keeps its time. Which of
 * the two a session waits for stands in its files, so that it becomes due.
 */
function rebaseWaits(store: Store, nowMs: number, backMs: number): void {
  const now = isoAt(nowMs);
  store.transaction(() => {
    store.dueItems.checkAgain(now, isoAt(nowMs + backMs + longestWaitMs));
    store.dueItems.advancePrunes(now, isoAt(nowMs + longestPruneWaitMs));
    store.sessions.forgetFuture(now);
    store.deliveryRetries.advanceAll(now, backMs);
    store.notices.advanceAll(now, backMs);
  });
}

/** No retry waits as long as this row does: the clock was set back after it was planned. */
export function waitsTooLong(row: OpenInbound, limits: RetryLimits, nowMs: number): boolean {
  if (row.tries === 0 || row.processAfter === null) return false;
  const longestMs = backoffMs(failuresInRound(row.tries, limits), limits.baseMs, 1);
  return row.processAfter > isoAt(nowMs + longestMs);
}
