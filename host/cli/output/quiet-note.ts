/** Says something once when nothing has happened for a while. */
export class QuietNote {
  readonly #afterMs: number;
  readonly #say: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(afterMs: number, say: () => void) {
    this.#afterMs = afterMs;
    this.#say = say;
  }

  /** Something happened: the silence begins anew. */
  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#say, this.#afterMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
