import type { ObservedContainer } from './spec/container-runtime.js';

interface Entry {
  readonly container: ObservedContainer;
  /** When it was written down, by performance.now(). */
  readonly notedAt: number;
}

/** Holds what the runtime said last. This is a copy for quick reads: the next listing replaces it. */
export class ObservedState {
  readonly #entries = new Map<string, Entry>();
  #isListed = false;

  /** False until the first listing: before it, nothing may be started. */
  get isListed(): boolean {
    return this.#isListed;
  }

  /**
   * `beganAt`: performance.now() when the listing was asked for. Facts that were noted later are newer than it. Returns
   * whether it says anything new.
   */
  replace(containers: readonly ObservedContainer[], beganAt: number): boolean {
    const before = new Map(this.list().map((one) => [one.containerId, one.state]));
    for (const [id, entry] of this.#entries) {
      if (entry.notedAt < beganAt) this.#entries.delete(id);
    }
    for (const container of containers) {
      if (!this.#entries.has(container.containerId)) {
        this.#entries.set(container.containerId, { container, notedAt: beganAt });
      }
    }
    const wasListed = this.#isListed;
    this.#isListed = true;
    const isSame =
      before.size === this.#entries.size &&
      this.list().every(({ containerId, state }) => before.get(containerId) === state);
    return !wasListed || !isSame;
  }

  note(container: ObservedContainer): void {
    this.#entries.set(container.containerId, { container, notedAt: performance.now() });
  }

  /** The container was stopped; the next listing says the same. */
  noteExit(containerId: string): void {
    const entry = this.#entries.get(containerId);
    if (entry !== undefined) this.note({ ...entry.container, state: 'exited' });
  }

  forget(containerId: string): void {
    this.#entries.delete(containerId);
  }

  list(): readonly ObservedContainer[] {
    return [...this.#entries.values()].map(({ container }) => container);
  }

  listForSession(sessionId: string): readonly ObservedContainer[] {
    return this.list().filter(({ owner }) => owner.sessionId === sessionId);
  }
}
