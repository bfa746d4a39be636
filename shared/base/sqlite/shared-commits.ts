import { hasCode } from '../errors.js';

/** Runs the work in a transaction: all of it or nothing. */
type Transact = <T>(work: () => T) => T;

interface Waiting {
  readonly work: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** These codes say that the next transaction would fail, or wait, as well. */
const lasting = ['database_busy', 'database_corrupt', 'database_unreadable', 'disk_full'] as const;

/** Lets works that come together share one transaction: its commit costs more than any of them. */
export class SharedCommits {
  readonly #transact: Transact;
  #waiting: Waiting[] = [];

  constructor(transact: Transact) {
    this.#transact = transact;
  }

  /** Runs the work before the event loop goes on. If works that share a transaction fail, each runs in its own. */
  add<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      // A tick comes after all promises that are settled by now have been followed.
      if (this.#waiting.length === 0) {
        process.nextTick(() => {
          this.#run();
        });
      }
      this.#waiting.push({ work, resolve: resolve as (result: unknown) => void, reject });
    });
  }

  #run(): void {
    const together = this.#waiting;
    this.#waiting = [];
    const [first, ...others] = together;
    if (first === undefined) return;
    if (others.length === 0) {
      this.#runAlone(first);
      return;
    }
    try {
      const results = this.#transact(() => together.map(({ work }) => work()));
      for (const [index, { resolve }] of together.entries()) resolve(results[index]);
    } catch (error) {
      if (hasCode(error, ...lasting)) for (const { reject } of together) reject(error);
      else for (const one of together) this.#runAlone(one);
    }
  }

  #runAlone({ work, resolve, reject }: Waiting): void {
    try {
      resolve(this.#transact(work));
    } catch (error) {
      reject(error);
    }
  }
}
