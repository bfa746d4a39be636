import { utimesSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../shared/base/errors.js';
import type { Logger } from '../shared/base/logger.js';

export interface HeartbeatDeps {
  readonly path: string;
  /** The file is touched at most this often, in milliseconds. */
  readonly intervalMs: number;
  readonly log: Logger;
}

/**
 * The last sign of life, as the mtime of a file; what stands in it is how many milliseconds of silence were announced
 * with it, if any. The heart beats when told, never by a timer: a hang must show.
 */
export class Heartbeat {
  readonly #deps: HeartbeatDeps;
  #lastAtMs = -Infinity;
  /** Undefined at first: an earlier runner may have left an announcement. */
  #announcedMs: number | undefined;
  #hasFailed = false;

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps;
  }

  beat(silenceMs = 0): void {
    const announcedMs = Math.max(0, Math.ceil(silenceMs));
    const nowMs = performance.now();
    const isSoon = nowMs - this.#lastAtMs < this.#deps.intervalMs;
    if (isSoon && announcedMs === this.#announcedMs) return;
    this.#lastAtMs = nowMs;
    try {
      if (announcedMs === this.#announcedMs) this.#touch();
      else writeFileSync(this.#deps.path, announcedMs === 0 ? '' : `${announcedMs}\n`);
      this.#announcedMs = announcedMs;
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
