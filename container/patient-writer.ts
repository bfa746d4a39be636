import type { Clock } from '../shared/base/clock.js';
import { hasCode } from '../shared/base/errors.js';
import { Deadline, delay } from '../shared/base/lifecycle.js';
import type { Logger } from '../shared/base/logger.js';
import type { InboundReader } from '../shared/protocol/mailbox/inbound-reader.js';
import type { OutboundCommit, OutboundWriter } from '../shared/protocol/mailbox/outbound-writer.js';

export type Draft = Pick<OutboundCommit, 'rows' | 'acks' | 'state'>;

export interface PatientWriterDeps {
  readonly inbound: InboundReader;
  readonly outbound: OutboundWriter;
  /** inbound.db stands as it was read for the turn: what is known of it holds. */
  readonly isInboundUnchanged: () => boolean;
  readonly clock: Clock;
  /** How long a result is kept in memory while outbound.db cannot be written, in milliseconds. */
  readonly patienceMs: number;
  /** A write has failed and will be tried again. */
  readonly onWaiting: () => void;
  /** Something is written that the host is to act upon. */
  readonly onWritten: () => void;
  readonly log: Logger;
}

/** How often reading inbound.db is tried while the host commits; each wait is a millisecond longer. */
const busyReads = 20;
const firstWaitMs = 20;
const longestWaitMs = 2_000;

/** Trying again would not help: the file has to be replaced. */
function isHopeless(error: unknown): boolean {
  if (hasCode(error, 'database_corrupt', 'database_missing', 'internal')) return true;
  return hasCode(error, 'database_unreadable') && error.facts['isOrdinary'] === false;
}

/** Writes what a turn has brought, and keeps it while the disk is full or the file is locked. */
export class PatientWriter {
  readonly #deps: PatientWriterDeps;

  constructor(deps: PatientWriterDeps) {
    this.#deps = deps;
  }

  /**
   * Throws the last failure when patience is at its end, and after one more try when the signal aborts.
   * `knownMaxSeq`: what to go by when inbound.db cannot be read.
   */
  async commit(draft: Draft, knownMaxSeq: number, signal: AbortSignal): Promise<void> {
    const { outbound, clock, log, patienceMs, onWaiting, onWritten } = this.#deps;
    const patience = new Deadline(patienceMs);
    for (let attempt = 0; ; attempt += 1) {
      const inboundMaxSeq = await this.#findInboundMaxSeq(knownMaxSeq);
      try {
        outbound.commit({ ...draft, inboundMaxSeq, nowMs: clock.now() });
        onWritten();
        if (attempt > 0) log.info({ attempt }, 'outbound database written after all');
        return;
      } catch (err) {
        if (isHopeless(err) || signal.aborted || patience.remainingMs() === 0) throw err;
        if (attempt === 0) log.warn({ err }, 'outbound database not written, will try again');
      }
      onWaiting();
      await delay(Math.min(firstWaitMs * 2 ** attempt, longestWaitMs), signal);
    }
  }

  async #findInboundMaxSeq(knownMaxSeq: number): Promise<number> {
    if (this.#deps.isInboundUnchanged()) return knownMaxSeq;
    for (let attempt = 1; attempt <= busyReads; attempt += 1) {
      try {
        return this.#deps.inbound.read((inbound) => inbound.maxSeq());
      } catch (error) {
        if (!hasCode(error, 'database_busy')) break;
      }
      await delay(attempt);
    }
    return knownMaxSeq;
  }
}
