import type { Logger } from '../shared/base/logger.js';
import { touchMark } from '../shared/protocol/commit-mark.js';

export interface CommitMarkDeps {
  readonly path: string;
  readonly log: Logger;
}

/**
 * Makes a file event for the host after each commit that the host is to act upon; its mtime is never before that of the
 * commit. A file at the path is never opened: an agent may have put a pipe there.
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
      touchMark(this.#deps.path);
      this.#hasFailed = false;
    } catch (err) {
      if (!this.#hasFailed) this.#deps.log.warn({ err }, 'commit not marked');
      this.#hasFailed = true;
    }
  }
}
