import { Deadline, delay } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { DockerEngine } from './docker-engine.js';
import { hasStatus } from './engine-errors.js';
import { readLogFrames } from './log-frames.js';
import { findLastLogTime, RotatingLog, type LogLimits } from './rotating-log.js';

export interface DockerLogsDeps {
  readonly engine: DockerEngine;
  readonly limits: LogLimits;
  readonly log: Logger;
}

interface Copy {
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
  readonly #following = new Map<string, Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(deps: DockerLogsDeps) {
    this.#deps = deps;
  }

  /** From the start for a container that we started, else after the file's last piece. A second call changes nothing. */
  follow(containerId: string, path: string, from: 'start' | 'last'): void {
    if (this.#following.has(containerId) || this.#stopping.signal.aborted) return;
    const copying = this.#copyAll(containerId, path, from).finally(() => {
      this.#following.delete(containerId);
    });
    this.#following.set(containerId, copying);
  }

  /** Resolves when all that an ended container printed is copied, or the time is up. */
  async settle(containerId: string, limitMs: number): Promise<void> {
    const copying = this.#following.get(containerId);
    if (copying !== undefined) await new Deadline(limitMs).wait(copying);
  }

  /** Stops copying; containers go on, and the engine keeps what they print. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#following.values());
  }

  /** Never rejects: a log that cannot be read is no reason to touch a container. */
  async #copyAll(containerId: string, path: string, from: 'start' | 'last'): Promise<void> {
    const { signal } = this.#stopping;
    const file = new RotatingLog({ path, ...this.#deps.limits });
    const copy = { file, lastMicros: from === 'last' ? await findLastLogTime(path) : 0 };
    let retryMs = firstRetryMs;
    while (!signal.aborted) {
      const before = copy.lastMicros;
      if ((await this.#copyOnce(containerId, copy)) === 'ended') break;
      if (copy.lastMicros > before) retryMs = firstRetryMs;
      await delay(retryMs, signal);
      retryMs = Math.min(retryMs * 2, maxRetryMs);
    }
    await file.close();
    if (file.droppedLines > 0) {
      this.#deps.log.warn({ containerId, lines: file.droppedLines }, 'container log lines dropped');
    }
  }

  async #copyOnce(containerId: string, copy: Copy): Promise<'ended' | 'broke'> {
    try {
      const since = (copy.lastMicros / 1e6).toFixed(6);
      const stream = await this.#deps.engine.openLogs(containerId, since, this.#stopping.signal);
      for await (const { atMicros, bytes } of readLogFrames(stream)) {
        if (atMicros <= copy.lastMicros) continue;
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
