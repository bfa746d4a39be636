/** The longest that setTimeout can wait, in milliseconds. */
const longestWaitMs = 2 ** 31 - 1;

/** Plans one nudge at a time to come; a new one takes the place of the old. */
export class NudgeTimer {
  readonly #nudge: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(nudge: () => void) {
    this.#nudge = nudge;
  }

  nudgeIn(ms: number): void {
    this.clear();
    this.#timer = setTimeout(this.#nudge, Math.min(Math.max(0, ms), longestWaitMs));
  }

  /** For a deadline that is checked when the timer fires: Node's timers may fire a fraction of a millisecond early. */
  nudgeNotBefore(ms: number): void {
    this.nudgeIn(Math.ceil(ms) + 1);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
