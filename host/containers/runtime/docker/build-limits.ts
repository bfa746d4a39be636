import { BerthError } from '../../../../shared/base/errors.js';

export interface BuildLimitsDeps {
  /** How long a build may take, in milliseconds. */
  readonly buildTimeoutMs: number;
  /** How long a build may say nothing, in milliseconds. */
  readonly idleTimeoutMs: number;
}

/** Ends a build that takes too long or says nothing for too long. */
export class BuildLimits {
  readonly #deps: BuildLimitsDeps;
  readonly #abort = new AbortController();
  #total: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #reason: string | undefined;

  constructor(deps: BuildLimitsDeps) {
    this.#deps = deps;
  }

  /** Aborts when a limit is passed. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  start(): void {
    const { buildTimeoutMs } = this.#deps;
    this.#total = setTimeout(() => {
      this.#giveUp(`took longer than ${buildTimeoutMs} ms`);
    }, buildTimeoutMs);
    this.noteAnswer();
  }

  noteAnswer(): void {
    const { idleTimeoutMs } = this.#deps;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.#giveUp(`said nothing for ${idleTimeoutMs} ms`);
    }, idleTimeoutMs);
  }

  stop(): void {
    clearTimeout(this.#total);
    clearTimeout(this.#idle);
  }

  /** Returns the error to throw when it was a limit that ended the build. */
  exceeded(lastLines: string): BerthError | undefined {
    if (this.#reason === undefined) return undefined;
    return new BerthError(
      'image_failed',
      `Building the agent image ${this.#reason}.\n${lastLines}`,
      {
        next: 'See whether the network that the last lines need is there, then run berth image build.',
      },
    );
  }

  #giveUp(reason: string): void {
    this.#reason ??= reason;
    this.#abort.abort();
  }
}
