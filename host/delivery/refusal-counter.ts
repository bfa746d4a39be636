/** Decides which messages that will never be sent are told of one by one, and which only by their number. */
import type { Undelivered } from './undelivered.js';

/** Refusals that are told of together. */
export interface RefusalBurst {
  /** Stands for all of them. */
  readonly first: Undelivered;
  /** How many there are by now, the first included. */
  count: number;
  /** Its agent knows. */
  isTold: boolean;
  /** The count that was logged last. */
  loggedCount: number;
}

interface Run {
  readonly sessionId: string;
  readonly endsAtMs: number;
  toldAlone: number;
  burst: RefusalBurst | undefined;
}

/** After that, they are told one by one again. */
const runMs = 3_600_000;

/**
 * No agent writes more malformed rows than that by mistake; rows that were refused for other reasons may be retried one
 * by one.
 */
const malformedAlone = 20;
const othersAlone = 200;

export class RefusalCounter {
  /** A flood is told of once more after a restart: nothing but this memory is lost then. */
  readonly #runs = new Map<string, Run>();

  /** `bursts`: with the new ones counted. */
  take(
    sessionId: string,
    refusals: readonly Undelivered[],
    nowMs: number,
  ): { readonly alone: readonly Undelivered[]; readonly bursts: readonly RefusalBurst[] } {
    const alone: Undelivered[] = [];
    const bursts = new Set<RefusalBurst>();
    for (const refusal of refusals) {
      const burst = this.#count(sessionId, refusal, nowMs);
      if (burst === undefined) alone.push(refusal);
      else bursts.add(burst);
    }
    return { alone, bursts: [...bursts] };
  }

  /** Bursts that have at least doubled since they were listed here. */
  listGrown(sessionId: string): readonly RefusalBurst[] {
    return [...this.#runs.values()].flatMap(({ sessionId: id, burst }) => {
      if (id !== sessionId || burst === undefined) return [];
      if (burst.count < burst.loggedCount * 2) return [];
      burst.loggedCount = burst.count;
      return [burst];
    });
  }

  /** The burst that it belongs to; undefined where it stands for itself. */
  #count(sessionId: string, refusal: Undelivered, nowMs: number): RefusalBurst | undefined {
    // A person decides on each message that may have been sent.
    if (refusal.maybeSent) return undefined;
    const isMalformed = refusal.isMalformed === true;
    const run = this.#runOf(sessionId, isMalformed, nowMs);
    if (run.toldAlone < (isMalformed ? malformedAlone : othersAlone)) {
      run.toldAlone += 1;
      return undefined;
    }
    run.burst ??= { first: refusal, count: 0, isTold: false, loggedCount: 0.5 };
    run.burst.count += 1;
    return run.burst;
  }

  #runOf(sessionId: string, isMalformed: boolean, nowMs: number): Run {
    const key = `${sessionId} ${isMalformed}`;
    const found = this.#runs.get(key);
    if (found !== undefined && found.endsAtMs > nowMs) return found;
    for (const [other, { endsAtMs }] of this.#runs) {
      if (endsAtMs <= nowMs) this.#runs.delete(other);
    }
    const run: Run = { sessionId, endsAtMs: nowMs + runMs, toldAlone: 0, burst: undefined };
    this.#runs.set(key, run);
    return run;
  }
}
