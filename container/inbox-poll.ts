/**
 * Decides when it is worth opening inbound.db, and copes when that fails: a locked file is tried again within
 * milliseconds, anything else more and more slowly, with one line in the log for each new kind of trouble.
 */
import type { Clock } from '../shared/base/clock.js';
import { BerthError, toBerthError } from '../shared/base/errors.js';
import type { Logger } from '../shared/base/logger.js';
import type { InboundProbe } from './inbound-probe.js';
import type { Batch, Intake } from './intake.js';
import { NudgeTimer } from './nudge-timer.js';

export interface InboxPollDeps {
  readonly probe: InboundProbe;
  readonly intake: Intake;
  readonly clock: Clock;
  /** Such a failure is thrown: trying again would not help. `attempts`: how often it has failed in a row. */
  readonly isHopeless: (error: BerthError, attempts: number) => boolean;
  /** Polls again. */
  readonly nudge: () => void;
  readonly log: Logger;
}

/** A commit takes a few milliseconds. After this the file is opened anyway: a journal may have been left behind. */
const commitPatienceMs = 100;
const longestBusyWaitMs = 50;
const firstTroubleWaitMs = 250;
const longestTroubleWaitMs = 5_000;
const missingPatienceMs = 1_500;

export class InboxPoll {
  readonly #deps: InboxPollDeps;
  readonly #retryTimer: NudgeTimer;
  readonly #dueTimer: NudgeTimer;
  #busySinceMs: number | undefined;
  #troubles = 0;
  #troubleCode: string | undefined;
  #pausedUntilMs = 0;
  #wasThere = false;
  #missingSinceMs = Infinity;
  #nextDueAtMs = Infinity;

  constructor(deps: InboxPollDeps) {
    this.#deps = deps;
    this.#retryTimer = new NudgeTimer(deps.nudge);
    this.#dueTimer = new NudgeTimer(deps.nudge);
  }

  /** Claims the next batch, if there is one and the files let us. */
  take(): Batch | undefined {
    if (performance.now() < this.#pausedUntilMs) return undefined;
    const { probe } = this.#deps;
    const state = probe.examine();
    if (state.kind === 'missing' || state.kind === 'unchanged') this.#busySinceMs = undefined;
    this.#noteWhetherThere(state.kind !== 'missing');
    if (!this.#isWorthOpening(state.kind)) return undefined;
    try {
      const taken = this.#deps.intake.take();
      this.#endTrouble();
      const { isDue, nextDueAt } = taken.rest;
      if (!isDue) {
        // There is nothing to read until the file changes, or the next is due.
        if (state.kind === 'changed') probe.markSeen(state.version);
        this.#planDue(nextDueAt);
      }
      if (taken.kind === 'batch') return taken.batch;
    } catch (error) {
      this.#cope(toBerthError(error));
    }
    return undefined;
  }

  /** inbound.db stands as it was read last. */
  isUnchanged(): boolean {
    return this.#deps.probe.examine().kind === 'unchanged';
  }

  /** Something may have come, or become due, since inbound.db was read last. */
  mayHoldMore(): boolean {
    const { clock } = this.#deps;
    return !this.isUnchanged() || clock.now() >= this.#nextDueAtMs;
  }

  stop(): void {
    this.#retryTimer.clear();
    this.#dueTimer.clear();
  }

  /** Throws database_missing when the file has been there and is gone for longer than it takes to replace it. */
  #noteWhetherThere(isThere: boolean): void {
    if (isThere) {
      this.#missingSinceMs = Infinity;
      this.#wasThere = true;
      return;
    }
    const nowMs = performance.now();
    this.#missingSinceMs = Math.min(this.#missingSinceMs, nowMs);
    if (!this.#wasThere || nowMs - this.#missingSinceMs < missingPatienceMs) return;
    const { path } = this.#deps.probe;
    throw new BerthError('database_missing', `${path} is gone.`, { facts: { path } });
  }

  #isWorthOpening(state: 'unchanged' | 'missing' | 'committing' | 'changed'): boolean {
    switch (state) {
      case 'missing':
        return false;
      case 'unchanged':
        return this.#deps.clock.now() >= this.#nextDueAtMs;
      case 'changed':
        return true;
      case 'committing':
        return this.#waitForCommit() > commitPatienceMs;
    }
  }

  /** Polls again after a quarter of the wait so far: at once at first, and never in a spin. Returns the wait so far. */
  #waitForCommit(): number {
    const nowMs = performance.now();
    this.#busySinceMs ??= nowMs;
    const waitedMs = nowMs - this.#busySinceMs;
    this.#retryTimer.nudgeIn(Math.min(Math.max(1, waitedMs / 4), longestBusyWaitMs));
    return waitedMs;
  }

  #planDue(nextDueAt: string | undefined): void {
    this.#nextDueAtMs = nextDueAt === undefined ? Infinity : Date.parse(nextDueAt);
    this.#dueTimer.clear();
    if (Number.isFinite(this.#nextDueAtMs)) {
      this.#dueTimer.nudgeNotBefore(this.#nextDueAtMs - this.#deps.clock.now());
    }
  }

  #cope(error: BerthError): void {
    if (error.code === 'database_busy') {
      this.#waitForCommit();
      return;
    }
    if (this.#deps.isHopeless(error, this.#troubles + 1)) throw error;
    if (error.code !== this.#troubleCode) {
      this.#deps.log.warn({ err: error }, 'messages not taken, will try again');
    }
    this.#troubleCode = error.code;
    const waitMs = Math.min(firstTroubleWaitMs * 2 ** this.#troubles, longestTroubleWaitMs);
    this.#troubles += 1;
    this.#pausedUntilMs = performance.now() + waitMs;
    this.#retryTimer.nudgeNotBefore(waitMs);
  }

  #endTrouble(): void {
    this.#busySinceMs = undefined;
    if (this.#troubleCode === undefined) return;
    this.#deps.log.info({}, 'messages taken again');
    this.#troubles = 0;
    this.#troubleCode = undefined;
  }
}
