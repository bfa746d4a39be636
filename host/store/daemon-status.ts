import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { DaemonState } from './daemon-state.js';
import type { Store } from './store.js';

export interface DaemonStatusDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly version: string;
}

/** Keeps the daemon's row about itself up to date. */
export class DaemonStatus {
  readonly #deps: DaemonStatusDeps;
  #state: DaemonState;

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
      channels: {},
    };
  }

  say(change: Partial<DaemonState>): void {
    this.#state = { ...this.#state, ...change };
    this.#deps.store.daemonState.write(this.#state, isoAt(this.#deps.clock.now()));
  }
}
