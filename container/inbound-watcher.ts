import { existsSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../shared/base/logger.js';
import { inboundDbName, postMarkPath } from '../shared/protocol/workspace.js';

export interface InboundWatcherDeps {
  readonly inDir: string;
  readonly onChange: () => void;
  /** How long to wait before watching again when the watch has failed, in milliseconds. */
  readonly retryMs: number;
  readonly log: Logger;
}

const journalName = `${inboundDbName}-journal`;

/**
 * Hints that there may be something to do in inbound.db. The watcher watches the host's mark alone, so that what a
 * commit makes of file events, and what the host only notes for itself, wakes nobody. Without a mark it watches the
 * folder: the end of a commit is the journal's removal, and the file itself may be replaced. When watching fails,
 * polling goes on without it.
 */
export class InboundWatcher {
  readonly #deps: InboundWatcherDeps;
  #watcher: FSWatcher | undefined;
  #retry: NodeJS.Timeout | undefined;
  #hasFailed = false;

  constructor(deps: InboundWatcherDeps) {
    this.#deps = deps;
  }

  start(): void {
    const mark = postMarkPath(this.#deps.inDir);
    try {
      this.#watcher = existsSync(mark)
        ? watch(mark, (event) => {
            this.#deps.onChange();
            // Another file may lie there now: that one is not watched.
            if (event === 'rename') this.#startAgainLater(new Error('the mark was replaced'));
          })
        : watch(this.#deps.inDir, (event, name) => {
            if (this.#isHint(event, name)) this.#deps.onChange();
          });
      this.#watcher.on('error', (err) => {
        this.#startAgainLater(err);
      });
    } catch (err) {
      this.#startAgainLater(err);
    }
  }

  stop(): void {
    clearTimeout(this.#retry);
    this.#watcher?.close();
  }

  /** Of what a commit makes only its end: before that there is nothing new to see. */
  #isHint(event: string, name: string | null): boolean {
    if (name === null) return true;
    if (event !== 'rename') return false;
    if (name === journalName) return !existsSync(join(this.#deps.inDir, name));
    return name === inboundDbName;
  }

  #startAgainLater(err: unknown): void {
    if (!this.#hasFailed) this.#deps.log.warn({ err }, 'watching failed, polling goes on');
    this.#hasFailed = true;
    this.stop();
    this.#retry = setTimeout(() => {
      this.start();
      // A change in the meantime has made no event.
      this.#deps.onChange();
    }, this.#deps.retryMs);
  }
}
