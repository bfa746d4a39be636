import { BenchHome } from './bench-home.js';
import { fillWithSessions } from './used-sessions.js';
import { NotMeasurable } from './not-measurable.js';
import type { BenchEngine } from './engine.js';

/** How many idle sessions an install has that has been used for long. */
export const usedSessionCount = 10_000;

/** Makes the homes that are measured in, and takes all of them away at its end, however that comes. */
export class Workbench implements AsyncDisposable {
  readonly engine: BenchEngine;
  readonly #ending = new AbortController();
  readonly #homes = new Set<BenchHome>();
  #filled: Promise<BenchHome> | undefined;

  constructor(engine: BenchEngine) {
    this.engine = engine;
  }

  /** Aborts when what is being measured is to be left. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** An empty one, without a daemon. Dispose it after use. `script`: of another build than this one. */
  home(script?: string): BenchHome {
    const home = new BenchHome(this.engine, script);
    this.#homes.add(home);
    return home;
  }

  /** The one with many idle sessions, made at its first use, without a daemon. Leave it as it was found: stopped. */
  filledHome(): Promise<BenchHome> {
    this.#filled ??= this.#makeFilledHome();
    return this.#filled;
  }

  /** Throws NotMeasurable where agents run as plain processes. */
  needContainers(): void {
    if (this.engine.runtime !== 'docker') throw new NotMeasurable('no container engine answers');
  }

  async #makeFilledHome(): Promise<BenchHome> {
    const home = this.home();
    await fillWithSessions(home, usedSessionCount, this.signal);
    return home;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.allSettled([...this.#homes].map((home) => home[Symbol.asyncDispose]()));
  }
}
