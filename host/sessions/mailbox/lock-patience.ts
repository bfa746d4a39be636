import { BerthError } from '../../../shared/base/errors.js';

/** The facts that were found out about a lock that stays. */
export interface BlockedAnswer {
  /** Its holder is being ended, so that waiting is of use. */
  readonly isHelped: boolean;
  /** A sentence about the holder, for the one who waits. */
  readonly holder?: string;
}

/** How long half of a commit is waited for, in milliseconds. */
const journalPatienceMs = 1_000;
/** The holder may have changed: so often it is asked again, in milliseconds. */
const askAgainMs = 1_000;

/** How long one use of a file waits for a lock: longer where its holder is being ended. */
export class LockPatience {
  readonly #timeoutMs: number;
  readonly #ask: (() => Promise<BlockedAnswer>) | undefined;
  readonly #beganAt = performance.now();
  #isAsking = false;
  #askAt: number;
  #answer: BlockedAnswer | undefined;

  /** `ask`: who holds the lock; must not reject. Asked from half of the time on. */
  constructor(timeoutMs: number, ask: (() => Promise<BlockedAnswer>) | undefined) {
    this.#timeoutMs = timeoutMs;
    this.#ask = ask;
    this.#askAt = this.#beganAt + timeoutMs / 2;
  }

  /** `error`: database_busy. Throws it, with the holder's name where that is known, when the time is over. */
  assertLeft(error: BerthError): void {
    const waitedMs = performance.now() - this.#beganAt;
    // A journal that stays is a killed writer's: waiting for it keeps its repair from beginning.
    if (error.facts['journal'] === true) {
      if (waitedMs > Math.min(this.#timeoutMs, journalPatienceMs)) throw error;
      return;
    }
    this.#askInTime();
    const isHelped = this.#answer?.isHelped === true;
    if (waitedMs > (isHelped ? 3 : 1) * this.#timeoutMs) throw this.#named(error);
  }

  #askInTime(): void {
    if (this.#ask === undefined || this.#isAsking || this.#answer?.isHelped === true) return;
    if (performance.now() < this.#askAt) return;
    this.#isAsking = true;
    void this.#ask().then((answer) => {
      this.#answer = answer;
      this.#isAsking = false;
      this.#askAt = performance.now() + askAgainMs;
    });
  }

  #named(error: BerthError): BerthError {
    const holder = this.#answer?.holder;
    if (holder === undefined) return error;
    return new BerthError('database_busy', holder, {
      next: 'Wait until it has ended, or end it, then send the message again.',
      cause: error,
      facts: error.facts,
    });
  }
}
