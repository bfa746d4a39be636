import { monitorEventLoopDelay, performance, type IntervalHistogram } from 'node:perf_hooks';
import { untilSharedTick } from '../../shared/base/shared-tick.js';
import type { LoopDelay } from '../store/daemon-state.js';

export interface LoopWatchDeps {
  /** A new longest block, or another p99. */
  readonly onChange: (delay: LoopDelay) => void;
  /** How often to check whether the loop is busy, in milliseconds. */
  readonly checkIntervalMs: number;
}

/** How often a busy loop is sampled, in milliseconds: what is shorter than this may not be seen. */
const resolutionMs = 10;
/** A second in which the loop works for less than this share is quiet. */
const busyShare = 0.05;
/** How many quiet checks end the sampling. */
const quietChecks = 5;
/** A smaller change is no news, in milliseconds. */
const smallChangeMs = 1;

/**
 * How long the event loop was held. Sampling costs a fifth of a percent of a core, so it goes on only while the loop is
 * busy; a quiet loop is judged by how late the check itself comes.
 */
export class LoopWatch {
  readonly #deps: LoopWatchDeps;
  #timer: NodeJS.Timeout | undefined;
  #histogram: IntervalHistogram | undefined;
  /** By performance.now(). */
  #nextCheckAt = 0;
  #lastUse = performance.eventLoopUtilization();
  #quietChecks = 0;
  #delay: LoopDelay = { longestMs: 0, p99Ms: 0 };
  #told: LoopDelay = { longestMs: 0, p99Ms: 0 };

  constructor(deps: LoopWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#lastUse = performance.eventLoopUtilization();
    this.#continueLater();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#endSampling();
  }

  #continueLater(): void {
    const waitMs = untilSharedTick(this.#deps.checkIntervalMs);
    this.#nextCheckAt = performance.now() + waitMs;
    this.#timer = setTimeout(() => {
      this.#check();
      this.#continueLater();
    }, waitMs);
    this.#timer.unref();
  }

  #check(): void {
    const lateMs = performance.now() - this.#nextCheckAt;
    const use = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(use, this.#lastUse);
    this.#lastUse = use;
    this.#note(lateMs);
    if (utilization >= busyShare) this.#beginSampling();
    else if (this.#histogram !== undefined) this.#rest();
    this.#tell();
  }

  #note(lateMs: number): void {
    const { longestMs, p99Ms } = this.#delay;
    const histogram = this.#histogram;
    const sampledMs = histogram === undefined ? 0 : latenessOf(histogram.max);
    this.#delay = {
      longestMs: roundMs(Math.max(longestMs, lateMs, sampledMs)),
      p99Ms: histogram === undefined ? p99Ms : roundMs(latenessOf(histogram.percentile(99))),
    };
  }

  #beginSampling(): void {
    this.#quietChecks = 0;
    if (this.#histogram !== undefined) return;
    this.#histogram = monitorEventLoopDelay({ resolution: resolutionMs });
    this.#histogram.enable();
  }

  #rest(): void {
    this.#quietChecks += 1;
    if (this.#quietChecks >= quietChecks) this.#endSampling();
  }

  #endSampling(): void {
    this.#histogram?.disable();
    this.#histogram = undefined;
  }

  #tell(): void {
    const grown = this.#delay.longestMs - this.#told.longestMs;
    const moved = Math.abs(this.#delay.p99Ms - this.#told.p99Ms);
    if (grown < smallChangeMs && moved < smallChangeMs) return;
    this.#told = this.#delay;
    this.#deps.onChange(this.#delay);
  }
}

/** A sample is the time between two ticks of the sampling timer, in nanoseconds; what is more than its interval is lateness. */
function latenessOf(sampleNs: number): number {
  return Math.max(0, sampleNs / 1e6 - resolutionMs);
}

function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}
