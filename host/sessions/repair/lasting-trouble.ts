/** Tells trouble that lasts from trouble of a moment, by session: seen again and again, over some seconds. */

interface Seen {
  readonly firstAt: number;
  lastAt: number;
  count: number;
}

/** From the first time to the last, in milliseconds. */
const lastsMs = 5_000;
const minCount = 3;
/** Trouble within this time counts once, in milliseconds. */
const apartMs = 1_000;
/** After so long without any it begins anew, in milliseconds. */
const forgetMs = 30_000;

export class LastingTrouble {
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();

  /** `now`: milliseconds of a clock that is never set. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  note(sessionId: string): { readonly isFirst: boolean; readonly lasts: boolean } {
    const now = this.#now();
    const seen = this.#seen.get(sessionId);
    if (seen === undefined || now - seen.lastAt > forgetMs) {
      this.#seen.set(sessionId, { firstAt: now, lastAt: now, count: 1 });
      return { isFirst: true, lasts: false };
    }
    if (now - seen.lastAt >= apartMs) {
      seen.lastAt = now;
      seen.count += 1;
    }
    return { isFirst: false, lasts: seen.count >= minCount && now - seen.firstAt >= lastsMs };
  }

  clear(sessionId: string): void {
    this.#seen.delete(sessionId);
  }
}
