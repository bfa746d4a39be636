import { Deadline, delay } from '../../../../shared/base/lifecycle.js';
import type { Logger } from '../../../../shared/base/logger.js';
import {
  findLastLogTime,
  RotatingLog,
  type LogLimits,
} from '../../../../shared/base/rotating-log.js';
import type { DockerEngine } from './docker-engine.js';
import { hasStatus } from './engine-errors.js';
import { readLogFrames } from './log-frames.js';

export interface DockerLogsDeps {
  readonly engine: DockerEngine;
  readonly limits: LogLimits;
  readonly log: Logger;
}

interface Copy {
  readonly containerId: string;
  readonly signal: AbortSignal;
  readonly file: RotatingLog;
  /** The engine's time of the last piece that was copied. */
  lastMicros: number;
}

const firstRetryMs = 250;
const maxRetryMs = 30_000;

/**
 * Copies the output of containers into log files, each piece once: a file's mtime is the engine's time of the
 * last piece in it, so whoever goes on (after a broken stream, or as the next daemon) knows where to.
 */
export class DockerLogs {
  readonly #deps: DockerLogsDeps;
  readonly #following = new Map<string, { stop: AbortController; copying: Promise<void> }>();
  #stopped = false;

  constructor(deps: DockerLogsDeps) {
    this.#deps = deps;
  }

  /** From the start for a container that we started, else after the file's last piece. A second call changes nothing. */
  follow(containerId: string, path: string, from: 'start' | 'last'): void {
    if (this.#following.has(containerId) || this.#stopped) return;
    const stop = new AbortController();
    const copying = this.#copyAll(containerId, path, from, stop.signal).finally(() => {
      this.#following.delete(containerId);
    });
    this.#following.set(containerId, { stop, copying });
  }

  /** Resolves when all that an ended container printed is copied, or the time is up. */
  async settle(containerId: string, limitMs: number): Promise<void> {
    const following = this.#following.get(containerId);
    if (following !== undefined) await new Deadline(limitMs).wait(following.copying);
  }

  /** Stops copying; containers go on, and the engine keeps what they print. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const all = [...this.#following.values()];
    for (const { stop } of all) stop.abort();
    await Promise.all(all.map(({ copying }) => copying));
  }

  /** Never rejects: a log that cannot be read is no reason to touch a container. */
  async #copyAll(
    containerId: string,
    path: string,
    from: 'start' | 'last',
    signal: AbortSignal,
  ): Promise<void> {
    const file = new RotatingLog({ path, ...this.#deps.limits });
    const lastMicros = from === 'last' ? await findLastLogTime(path) : 0;
    const copy: Copy = { containerId, signal, file, lastMicros };
    let retryMs = firstRetryMs;
    while (!signal.aborted) {
      const before = copy.lastMicros;
      if ((await this.#copyOnce(copy)) === 'ended') break;
      if (copy.lastMicros > before) retryMs = firstRetryMs;
      await delay(retryMs, signal);
      retryMs = Math.min(retryMs * 2, maxRetryMs);
    }
    await file.close();
    if (file.droppedLines > 0) {
      this.#deps.log.warn({ containerId, lines: file.droppedLines }, 'container log lines dropped');
    }
  }

  async #copyOnce(copy: Copy): Promise<'ended' | 'broke'> {
    const { containerId, signal } = copy;
    try {
      const fromMicros = copy.lastMicros;
      const since = (fromMicros / 1e6).toFixed(6);
      const stream = await this.#deps.engine.openLogs(containerId, since, signal);
      for await (const { atMicros, bytes } of readLogFrames(stream)) {
        // Only what was copied before: within one stream pieces may share a time (Podman's are whole seconds).
        if (atMicros <= fromMicros) continue;
        copy.file.write(bytes, atMicros);
        copy.lastMicros = atMicros;
      }
      return (await this.#isRunning(containerId)) ? 'broke' : 'ended';
    } catch (err) {
      if (hasStatus(err, 404)) return 'ended';
      this.#deps.log.debug({ err, containerId }, 'log stream broke');
      return 'broke';
    }
  }

  /** The stream also ends when the engine goes: only a container that ended is done with. */
  async #isRunning(containerId: string): Promise<boolean> {
    const container = await this.#deps.engine.findContainer(containerId);
    return container?.state === 'running' || container?.state === 'paused';
  }
}
