import { utimesSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../shared/base/errors.js';
import type { Logger } from '../shared/base/logger.js';

export interface HeartbeatDeps {
  readonly path: string;
  /** The file is touched at most this often, in milliseconds. */
  readonly intervalMs: number;
  readonly log: Logger;
}

/** The last sign of life, as the mtime of a file. It beats when told, never by a timer: a hang must show. */
export class Heartbeat {
  readonly #deps: HeartbeatDeps;
  #lastAtMs = -Infinity;
  #hasFailed = false;

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps;
  }

  beat(): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastAtMs < this.#deps.intervalMs) return;
    this.#lastAtMs = nowMs;
    try {
      this.#touch();
      this.#hasFailed = false;
    } catch (err) {
      if (!this.#hasFailed) this.#deps.log.warn({ err }, 'heartbeat failed');
      this.#hasFailed = true;
    }
  }

  #touch(): void {
    const now = new Date();
    try {
      utimesSync(this.#deps.path, now, now);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      writeFileSync(this.#deps.path, '', { flag: 'a' });
    }
  }
}
