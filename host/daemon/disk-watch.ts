import type { DaemonStatus } from '../store/daemon-status.js';

/** A commit takes a few milliseconds where the disk is well. */
const slowMs = 250;
/** So many in a row, and it is said. */
const slowCount = 3;
/** How long nothing was slow before that is taken back, in milliseconds. */
const wellAfterMs = 60_000;

/** Says in the status that the disk is slow, while it is: everything takes longer then, and nothing is lost. */
export class DiskWatch {
  readonly #status: DaemonStatus;
  #inARow = 0;
  #isSlow = false;
  /** By performance.now(). */
  #lastSlowAt = 0;

  constructor(status: DaemonStatus) {
    this.#status = status;
  }

  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** A use of a session's file took so long, in milliseconds. */
  note(ms: number): void {
    if (ms >= slowMs) {
      this.#inARow += 1;
      if (this.#inARow >= slowCount) this.#saySlow(ms);
      return;
    }
    this.#inARow = 0;
    if (!this.#isSlow || performance.now() - this.#lastSlowAt < wellAfterMs) return;
    this.#isSlow = false;
    this.#status.say({ disk: null });
  }

  /** A reader has waited for the disk for longer than a second. */
  noteStall(): void {
    this.#saySlow(1_000);
  }

  #saySlow(ms: number): void {
    this.#lastSlowAt = performance.now();
    if (this.#isSlow) return;
    this.#isSlow = true;
    const disk = `The disk that BERTH_HOME lies on is slow: one write took ${Math.round(ms)} ms.`;
    this.#status.say({ disk });
  }
}
