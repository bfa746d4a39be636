import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import type { DaemonState } from './daemon-state.js';
import type { Store } from './store.js';

export interface DaemonStatusDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly version: string;
  readonly log: Logger;
  /** The install's; `name` is an IANA name. */
  readonly timeZone?: { readonly name: string; readonly remark: string | null };
  /** The facts that are known from the start. */
  readonly about?: Partial<DaemonState>;
}

/** When what could not be written is tried again, in milliseconds. */
const retryMs = 1_000;

/** Keeps the daemon's row about itself up to date. */
export class DaemonStatus {
  readonly #deps: DaemonStatusDeps;
  #state: DaemonState;
  #retry: NodeJS.Timeout | undefined;

  constructor(deps: DaemonStatusDeps) {
    this.#deps = deps;
    this.#state = {
      phase: 'starting',
      pid: process.pid,
      version: deps.version,
      startedAt: isoAt(deps.clock.now()),
      runtime: null,
      activity: null,
      problem: null,
      disk: null,
      shortage: null,
      channels: {},
      channelErrors: {},
      loopDelay: null,
      timeZone: deps.timeZone?.name ?? null,
      timeZoneRemark: deps.timeZone?.remark ?? null,
      leftRunning: [],
      program: null,
      homeFolder: null,
      supervisor: null,
      isolates: null,
      engine: null,
      settings: null,
      unverified: null,
      remarks: [],
      ...deps.about,
    };
  }

  /** Never throws: what the daemon says about itself is not worth its life. A full disk makes it wait. */
  say(change: Partial<DaemonState>): void {
    this.#state = { ...this.#state, ...change };
    this.#write();
  }

  /** As say, beside the sentences that are there already. */
  remark(...sentences: readonly string[]): void {
    if (sentences.length > 0) this.say({ remarks: [...this.#state.remarks, ...sentences] });
  }

  #write(): void {
    const { store, clock, log } = this.#deps;
    const isRetry = this.#retry !== undefined;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    try {
      store.daemonState.write(this.#state, isoAt(clock.now()));
    } catch (err) {
      if (!isRetry) log.warn({ err }, 'status not written');
      this.#retry = setTimeout(() => {
        this.#write();
      }, retryMs);
      this.#retry.unref();
    }
  }
}
