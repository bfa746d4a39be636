/** Resolves after `ms` milliseconds, or at once when the signal aborts. Never rejects. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** The rest of one time budget shared by several steps. */
export class Deadline {
  readonly #endsAt: number;

  constructor(budgetMs: number) {
    this.#endsAt = performance.now() + budgetMs;
  }

  remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  /** A deadline for some of the steps: `share` (0 to 1) of what is left now. */
  part(share: number): Deadline {
    return new Deadline(this.remainingMs() * share);
  }

  /** Waits for the work, but no longer than what is left; tells which of the two ended it. */
  async wait(work: Promise<unknown>): Promise<'done' | 'late'> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, this.remainingMs(), 'late');
    });
    try {
      return await Promise.race([work.then(() => 'done' as const), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
