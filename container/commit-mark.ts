import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../shared/base/errors.js';
import type { Logger } from '../shared/base/logger.js';

export interface CommitMarkDeps {
  readonly path: string;
  readonly log: Logger;
}

/** What utimes(2) says where the mark is gone, or belongs to somebody else. */
const makeAnew = new Set(['ENOENT', 'EPERM', 'EACCES']);

/**
 * One file event for the host after each commit that it is to act upon; its mtime is never before that of the commit.
 * What is at the path is never opened: an agent may have put a pipe there.
 */
export class CommitMark {
  readonly #deps: CommitMarkDeps;
  #hasFailed = false;

  constructor(deps: CommitMarkDeps) {
    this.#deps = deps;
  }

  /** Never throws: without the event the host finds the commit by polling. */
  touch(): void {
    try {
      this.#touch();
      this.#hasFailed = false;
    } catch (err) {
      if (!this.#hasFailed) this.#deps.log.warn({ err }, 'commit not marked');
      this.#hasFailed = true;
    }
  }

  #touch(): void {
    const { path } = this.#deps;
    // Date.now() is cut to milliseconds, and the time of the commit is not.
    const at = (Date.now() + 1) / 1_000;
    try {
      utimesSync(path, at, at);
    } catch (error) {
      if (!makeAnew.has(errnoOf(error) ?? '')) throw error;
      rmSync(path, { force: true });
      writeFileSync(path, '', { flag: 'wx', mode: 0o644 });
    }
  }
}
