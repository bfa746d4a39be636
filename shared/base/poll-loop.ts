import type { Logger } from './logger.js';
import { untilSharedTick } from './shared-tick.js';

export interface PollLoopDeps {
  /** Names the loop in the log. */
  readonly name: string;
  /** Reads the state once and acts on it. */
  readonly poll: (signal: AbortSignal) => Promise<void> | void;
  /**
   * The safety net: the time between two polls, in milliseconds; see untilSharedTick. A function is asked after each
   * poll.
   */
  readonly intervalMs: number | (() => number);
  readonly log: Logger;
}

/** A level-triggered loop: it polls at start, at every nudge and about every `intervalMs`; never twice at once. */
export class PollLoop {
  readonly #deps: PollLoopDeps;
  readonly #stopping = new AbortController();
  #wake: (() => void) | undefined;
  #nudged = true;
  #running: Promise<void> | undefined;

  constructor(deps: PollLoopDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Makes the next poll come sooner. Losing a nudge costs time, never a message. */
  nudge(): void {
    this.#nudged = true;
    this.#wake?.();
  }

  /** Resolves when the poll in progress has ended; no other begins. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#nudged = false;
      try {
        await this.#deps.poll(signal);
      } catch (err) {
        this.#deps.log.error({ err, loop: this.#deps.name }, 'poll failed');
      }
      await this.#untilNextPoll(signal);
    }
  }

  #untilNextPoll(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#nudged || signal.aborted) {
        setImmediate(resolve);
        return;
      }
      const { intervalMs } = this.#deps;
      const waitMs = typeof intervalMs === 'number' ? intervalMs : intervalMs();
      const timer = setTimeout(() => this.#wake?.(), untilSharedTick(waitMs));
      this.#wake = (): void => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
