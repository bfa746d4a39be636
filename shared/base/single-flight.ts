interface Flight {
  again: boolean;
  readonly done: Promise<void>;
}

/**
 * Runs one piece of work per key at a time. A request for a key that is being worked on makes it run once more
 * afterwards, however many requests came: each request is followed by one full run.
 */
export class SingleFlight {
  readonly #work: (key: string) => Promise<void>;
  readonly #flights = new Map<string, Flight>();

  /** `work` must not reject: what goes wrong with one key is its own business. */
  constructor(work: (key: string) => Promise<void>) {
    this.#work = work;
  }

  /** Resolves when a run that began after this call has ended. */
  request(key: string): Promise<void> {
    const running = this.#flights.get(key);
    if (running !== undefined) {
      running.again = true;
      return running.done;
    }
    const flight: Flight = { again: true, done: Promise.resolve().then(() => this.#fly(key)) };
    this.#flights.set(key, flight);
    return flight.done;
  }

  /** Resolves when nothing is in flight. */
  async idle(): Promise<void> {
    while (this.#flights.size > 0) {
      await Promise.all([...this.#flights.values()].map((flight) => flight.done));
    }
  }

  async #fly(key: string): Promise<void> {
    const flight = this.#flights.get(key);
    if (flight === undefined) return;
    try {
      while (flight.again) {
        flight.again = false;
        await this.#work(key);
      }
    } finally {
      this.#flights.delete(key);
    }
  }
}
