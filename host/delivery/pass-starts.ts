/**
 * Keeps where the next pass over a session's rows begins. This is a shortcut, not the truth: it is kept in memory only,
 * and without it the whole file is read once.
 */

/** The place where a pass begins, or has come to. */
export interface PassStart {
  /** Seq of the last row before the first one that is not final. */
  readonly settledThrough: number;
  /** Up to this seq every row is final, or waits for its time only. Not below `settledThrough`. */
  readonly waitsThrough: number;
  /** ISO-8601: when the first of those is due; undefined where none waits. */
  readonly waitsUntil: string | undefined;
  /** No row after `waitsThrough` has been seen: nothing is noted of them. */
  readonly isUnseen: boolean;
}

export class PassStarts {
  readonly #starts = new Map<string, PassStart>();
  /** From which seq on something that was final is so no more. */
  readonly #reopened = new Map<string, number>();

  /** `now`: ISO-8601. Rows that wait for their time are passed over until the first of them is due. Undefined: not known. */
  take(sessionId: string, now: string): PassStart | undefined {
    const start = this.#starts.get(sessionId);
    if (start === undefined) return undefined;
    const before = (this.#reopened.get(sessionId) ?? Number.POSITIVE_INFINITY) - 1;
    this.#reopened.delete(sessionId);
    const isDue = start.waitsUntil !== undefined && start.waitsUntil <= now;
    const taken =
      isDue || before < start.waitsThrough
        ? startAfter(Math.min(start.settledThrough, before))
        : start;
    // Should this pass not come to its end, the next one finds rows that it has seen.
    this.#starts.set(sessionId, { ...taken, isUnseen: false });
    return taken;
  }

  note(sessionId: string, start: PassStart): void {
    this.#starts.set(sessionId, start);
  }

  reopen(sessionId: string, seq: number): void {
    this.#reopened.set(sessionId, Math.min(seq, this.#reopened.get(sessionId) ?? seq));
  }

  forget(sessionId: string): void {
    this.#starts.delete(sessionId);
  }
}

export function startAfter(seq: number): PassStart {
  return { settledThrough: seq, waitsThrough: seq, waitsUntil: undefined, isUnseen: false };
}
