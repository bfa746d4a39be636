/** Which messages that will never be sent are told of one by one, and which only by their number. */
import type { Undelivered } from './undelivered.js';

/** Told of together. */
export interface RefusalCrowd {
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
  crowd: RefusalCrowd | undefined;
}

/** After that, they are told one by one again. */
const runMs = 3_600_000;

/** No agent writes more rubbish than that by mistake; what was refused for other reasons may be retried one by one. */
const rubbishAlone = 20;
const othersAlone = 200;

export class RefusalTally {
  /** A flood is told of once more after a restart: nothing but this memory is lost then. */
  readonly #runs = new Map<string, Run>();

  /** `crowds`: with the new ones counted. */
  take(
    sessionId: string,
    refusals: readonly Undelivered[],
    nowMs: number,
  ): { readonly alone: readonly Undelivered[]; readonly crowds: readonly RefusalCrowd[] } {
    const alone: Undelivered[] = [];
    const crowds = new Set<RefusalCrowd>();
    for (const refusal of refusals) {
      const crowd = this.#count(sessionId, refusal, nowMs);
      if (crowd === undefined) alone.push(refusal);
      else crowds.add(crowd);
    }
    return { alone, crowds: [...crowds] };
  }

  /** Crowds that have at least doubled since they were listed here. */
  listGrown(sessionId: string): readonly RefusalCrowd[] {
    return [...this.#runs.values()].flatMap(({ sessionId: id, crowd }) => {
      if (id !== sessionId || crowd === undefined) return [];
      if (crowd.count < crowd.loggedCount * 2) return [];
      crowd.loggedCount = crowd.count;
      return [crowd];
    });
  }

  /** The crowd it is one of; undefined where it stands for itself. */
  #count(sessionId: string, refusal: Undelivered, nowMs: number): RefusalCrowd | undefined {
    // What may have been sent is somebody's to decide, for each.
    if (refusal.maybeSent) return undefined;
    const isMalformed = refusal.isMalformed === true;
    const run = this.#runOf(sessionId, isMalformed, nowMs);
    if (run.toldAlone < (isMalformed ? rubbishAlone : othersAlone)) {
      run.toldAlone += 1;
      return undefined;
    }
    run.crowd ??= { first: refusal, count: 0, isTold: false, loggedCount: 0.5 };
    run.crowd.count += 1;
    return run.crowd;
  }

  #runOf(sessionId: string, isMalformed: boolean, nowMs: number): Run {
    const key = `${sessionId} ${isMalformed}`;
    const found = this.#runs.get(key);
    if (found !== undefined && found.endsAtMs > nowMs) return found;
    for (const [other, { endsAtMs }] of this.#runs) {
      if (endsAtMs <= nowMs) this.#runs.delete(other);
    }
    const run: Run = { sessionId, endsAtMs: nowMs + runMs, toldAlone: 0, crowd: undefined };
    this.#runs.set(key, run);
    return run;
  }
}
