/**
 * Reads what containers have written, in processes of their own. A session whose file has once kept a reader busy for
 * too long shares one reader with its like, so that all others go on undisturbed; where that one runs over as well, the
 * file is taken for damaged.
 */
import { join } from 'node:path';
import { BerthError } from '../../../shared/base/errors.js';
import type { Logger } from '../../../shared/base/logger.js';
import { parseAnswer, type ReaderResults } from './reader-answers.js';
import type { ReaderArgs, ReaderCallName, ReadPlace } from './reader-calls.js';
import { ReaderLane } from './reader-lane.js';
import type { ReaderOutcome, ReaderSettings } from './reader-process.js';

/** Asks about one session's outbound.db. */
export interface OutboundPort {
  /** Rejects with BerthError: what the call throws, or database_corrupt where the file cannot be read within its time. */
  ask<K extends ReaderCallName>(
    sessionId: string,
    place: ReadPlace,
    name: K,
    args: ReaderArgs<K>,
  ): Promise<ReaderResults[K]>;
}

export interface ReaderPoolDeps {
  readonly settings: ReaderSettings;
  readonly log: Logger;
  /** A reader waits for the disk. */
  readonly onSlowDisk: () => void;
}

/** From when a reader begins with it, in milliseconds. */
const readBudgetMs = 1_000;
/** A repair takes longer than a page. No container writes inbound.db: a long one may take its time. */
const repairBudgetsMs: Readonly<Partial<Record<ReaderCallName, number>>> = {
  rebuildInbound: 60_000,
  rebuildOutbound: 10_000,
};
/** How long a session is watched after it has kept a reader busy, in milliseconds. */
const suspicionMs = 3_600_000;
/** So many readers in a row are not killed by chance. */
const maxKilled = 5;

export class ReaderPool implements OutboundPort {
  readonly #deps: ReaderPoolDeps;
  readonly #common: ReaderLane;
  readonly #suspects: ReaderLane;
  /** By session, until when it is one; by performance.now(). */
  readonly #suspectUntil = new Map<string, number>();
  /** By session, how many of its readers in a row were ended by somebody else. */
  readonly #killed = new Map<string, number>();

  constructor(deps: ReaderPoolDeps) {
    this.#deps = deps;
    this.#common = this.#lane(2, true);
    this.#suspects = this.#lane(1, false);
  }

  start(): void {
    this.#common.start();
  }

  stop(): void {
    this.#common.stop();
    this.#suspects.stop();
  }

  async ask<K extends ReaderCallName>(
    sessionId: string,
    place: ReadPlace,
    name: K,
    args: ReaderArgs<K>,
  ): Promise<ReaderResults[K]> {
    const line = JSON.stringify({ name, place, args });
    try {
      const repairBudgetMs = repairBudgetsMs[name];
      const answer =
        repairBudgetMs === undefined
          ? await this.#run(sessionId, line)
          : await this.#runAlone(sessionId, line, repairBudgetMs);
      return parseAnswer(name, answer);
    } catch (error) {
      throw this.#named(error, place);
    }
  }

  async #run(sessionId: string, line: string): Promise<string> {
    const isSuspect = this.#isSuspect(sessionId);
    const first = await (isSuspect ? this.#suspects : this.#common).run(line, readBudgetMs);
    if (first.kind === 'answer') return this.#taken(sessionId, first.line);
    this.#assertFile(sessionId, first);
    this.#suspect(sessionId);
    // Once more, in a fresh reader: the first may have had a hard time for other reasons.
    const second = await this.#suspects.run(line, readBudgetMs);
    if (second.kind === 'answer') return this.#taken(sessionId, second.line);
    this.#assertFile(sessionId, second);
    throw hostile();
  }

  /** In a reader of its own: nobody waits behind it. */
  async #runAlone(sessionId: string, line: string, budgetMs: number): Promise<string> {
    const lane = this.#lane(1, false);
    try {
      const outcome = await lane.run(line, budgetMs);
      if (outcome.kind === 'answer') return this.#taken(sessionId, outcome.line);
      this.#assertFile(sessionId, outcome);
      this.#suspect(sessionId);
      throw hostile();
    } finally {
      lane.stop();
    }
  }

  #taken(sessionId: string, line: string): string {
    this.#killed.delete(sessionId);
    return line;
  }

  /** A disk that does not answer, or memory that runs out, says nothing about the file; but not again and again. */
  #assertFile(sessionId: string, outcome: ReaderOutcome): void {
    if (outcome.kind === 'overrun' && outcome.why === 'disk') {
      throw new BerthError('io_failed', 'The disk did not answer while outbound.db was read.', {
        next: 'See to the disk that BERTH_HOME lies on.',
      });
    }
    if (outcome.kind !== 'unavailable' && outcome.kind !== 'killed') return;
    const isKilled = outcome.kind === 'killed';
    const times = (this.#killed.get(sessionId) ?? 0) + (isKilled ? 1 : 0);
    this.#killed.set(sessionId, times);
    if (times > maxKilled) return;
    throw new BerthError('resources_short', 'No process can read outbound.db right now.', {
      next: 'See whether the machine is short of memory, processes or file descriptors.',
    });
  }

  #lane(maxReaders: number, keepsOne: boolean): ReaderLane {
    const { settings, log, onSlowDisk } = this.#deps;
    return new ReaderLane({
      settings,
      maxReaders,
      keepsOne,
      onSlowDisk,
      onProblem: (reason) => {
        log.error({ reason }, 'reader process not started');
      },
    });
  }

  #suspect(sessionId: string): void {
    this.#deps.log.warn({ sessionId }, 'session file keeps its reader busy');
    this.#suspectUntil.set(sessionId, performance.now() + suspicionMs);
  }

  #isSuspect(sessionId: string): boolean {
    const until = this.#suspectUntil.get(sessionId);
    if (until === undefined) return false;
    if (performance.now() < until) return true;
    this.#suspectUntil.delete(sessionId);
    return false;
  }

  /** The reader knows the file by its place below its folder; people know it by its whole path. */
  #named(error: unknown, { path, viewDir }: ReadPlace): unknown {
    if (!(error instanceof BerthError)) return error;
    const whole = join(this.#deps.settings.folder, path);
    const view = viewDir === null ? path : join(viewDir, 'outbound.db');
    const message = error.message.replaceAll(view, path).replaceAll(path, whole);
    return new BerthError(error.code, message, {
      cause: error,
      facts: { ...error.facts, path: whole },
    });
  }
}

function hostile(): BerthError {
  return new BerthError(
    'database_corrupt',
    'A session file cannot be read within its time: it is damaged, or made to keep its reader busy.',
    { facts: { isHostile: true } },
  );
}
