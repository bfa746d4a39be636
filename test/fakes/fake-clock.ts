import { isoAt, type Clock } from '../../shared/base/clock.js';

/** Time that stands still until a test moves it. */
export class FakeClock implements Clock {
  #nowMs: number;

  constructor(start = '2026-01-31T12:00:00.000Z') {
    this.#nowMs = Date.parse(start);
  }

  now(): number {
    return this.#nowMs;
  }

  /** The present, or as much later, as the databases store it. */
  iso(inMs = 0): string {
    return isoAt(this.#nowMs + inMs);
  }

  /** Negative: the clock was set back. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
