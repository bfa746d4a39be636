import type { ObservedState } from './observed-state.js';

const suspicionMs = 3_000;

/** Containers that were said to have ended and are still listed as running: the engine's list may lag. */
export class Suspects {
  /** Since when, by performance.now(). */
  readonly #since = new Map<string, number>();

  get hasAny(): boolean {
    return this.#since.size > 0;
  }

  add(containerId: string): void {
    this.#since.set(containerId, performance.now());
  }

  /** A container that is not listed as running any more, or goes on running after all, is none. */
  clear(observed: Pick<ObservedState, 'list'>): void {
    const running = new Set(
      observed
        .list()
        .filter(({ state }) => state === 'running')
        .map(({ containerId }) => containerId),
    );
    for (const [containerId, since] of this.#since) {
      const isOver = performance.now() - since > suspicionMs;
      if (isOver || !running.has(containerId)) this.#since.delete(containerId);
    }
  }
}
