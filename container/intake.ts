/** Takes messages out of inbound.db for a turn, and claims them in outbound.db before anybody works on them. */
import { isoAt, type Clock } from '../shared/base/clock.js';
import type { Logger } from '../shared/base/logger.js';
import type {
  DueInbound,
  InboundReader,
  InboundView,
} from '../shared/protocol/mailbox/inbound-reader.js';
import type {
  Attempt,
  FinalAck,
  OutboundWriter,
} from '../shared/protocol/mailbox/outbound-writer.js';
import { contextSize } from '../shared/protocol/limits.js';
import type { Address, Destination, InboundMessage } from '../shared/protocol/session-message.js';
import { chooseBatch, type ChosenBatch } from './batch.js';

/** The messages of one turn, or of an addition to it. */
export interface Batch {
  readonly messages: readonly InboundMessage[];
  readonly context: readonly InboundMessage[];
  /** The claims for `messages`, the try of each included. */
  readonly attempts: readonly Attempt[];
  /** Context that is used up by this turn, also what was too old or too damaged to be read. */
  readonly contextIds: readonly string[];
  /** Rows that cannot be read as messages. */
  readonly unreadable: readonly Extract<FinalAck, { status: 'failed' }>[];
  readonly destinations: readonly Destination[];
  readonly routing: Address | null;
  /** The highest seq in inbound.db. */
  readonly inboundMaxSeq: number;
}

export type Intaken =
  | { readonly kind: 'batch'; readonly batch: Batch; readonly rest: Rest }
  | { readonly kind: 'nothing'; readonly rest: Rest };

/** The rest in inbound.db for later turns, as far as is known now. */
export interface Rest {
  /** More is due at once. */
  readonly isDue: boolean;
  /** When something will be, ISO-8601. */
  readonly nextDueAt: string | undefined;
}

export interface IntakeDeps {
  readonly inbound: InboundReader;
  readonly outbound: OutboundWriter;
  readonly batchSize: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Intake {
  readonly #deps: IntakeDeps;
  /** Messages that this runner has claimed, by their id: the highest try, as long as they stand in inbound.db as pending. */
  #claimed = new Map<string, number>();

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /** Claims what is next for a turn of its own. Throws what reading or writing throws; nothing is claimed then. */
  take(): Intaken {
    return this.#deps.inbound.read((inbound) => {
      const now = this.#now();
      // Nothing is read after the claim: a host that commits then would make it fail, and nobody would run what was claimed.
      const { nextDueAt, hasUnclaimed } = inbound.atOnce(() => ({
        nextDueAt: inbound.findNextDueAt(now),
        hasUnclaimed: this.#hasUnclaimed(inbound, now),
      }));
      // Most polls find nothing, and need not open outbound.db for that.
      const claimed = hasUnclaimed ? this.#claim(inbound, now, true, new Set()) : undefined;
      const rest = { isDue: claimed?.isAll === false, nextDueAt };
      const batch = claimed?.batch;
      return batch === undefined ? { kind: 'nothing', rest } : { kind: 'batch', batch, rest };
    });
  }

  /** Claims more for a turn that runs and has read the given context already. */
  takeMore(contextIds: ReadonlySet<string>): Batch | undefined {
    return this.#deps.inbound.read((inbound) => {
      const now = this.#now();
      if (!this.#hasUnclaimed(inbound, now)) return undefined;
      return this.#claim(inbound, now, false, contextIds).batch;
    });
  }

  /** Claims were given back. */
  forget(messageIds: readonly string[]): void {
    for (const id of messageIds) this.#claimed.delete(id);
  }

  #claim(
    inbound: InboundView,
    now: string,
    takesRetries: boolean,
    readContext: ReadonlySet<string>,
  ): { batch: Batch | undefined; isAll: boolean } {
    const { outbound, batchSize, clock } = this.#deps;
    const limits = { size: batchSize, takesRetries };
    const choose = (isOpen: (attempt: Attempt) => boolean) => {
      const source = {
        pending: inbound.pending(now),
        listContextBelow: (seq: number) => inbound.listContextBelow(seq, now),
        isOpen: (row: DueInbound) => isOpen(row) && !readContext.has(row.id),
      };
      const chosen = chooseBatch(source, limits);
      const isEmpty = chosen.messages.length === 0;
      return {
        messages: chosen.messages,
        batch: isEmpty ? undefined : this.#load(inbound, chosen),
        isAll: chosen.isAll,
      };
    };
    // Read before the claim is written: when reading fails, nothing is claimed.
    const { messages, batch, isAll } = outbound.claim(
      (isOpen) => inbound.atOnce(() => choose(isOpen)),
      clock.now(),
    );
    for (const { id, tries } of messages) this.#claimed.set(id, tries);
    return { batch, isAll };
  }

  /**
   * Whether outbound.db has to be asked: until the host has settled a message, it is pending and was claimed here.
   * Claims of another runner, and a try that is newer than the claim, are found out there.
   */
  #hasUnclaimed(inbound: InboundView, now: string): boolean {
    const known = new Map<string, number>();
    for (const { id, tries } of inbound.pending(now)) {
      const claimedTries = this.#claimed.get(id);
      if (claimedTries === undefined || tries > claimedTries) return true;
      known.set(id, claimedTries);
    }
    // A settled message is not asked for again.
    this.#claimed = known;
    return false;
  }

  #load(inbound: InboundView, chosen: ChosenBatch): Batch {
    const context = chosen.context.slice(-contextSize);
    const attempts = new Map(chosen.messages.map((row) => [row.id, row]));
    const messages: InboundMessage[] = [];
    const contextMessages: InboundMessage[] = [];
    const unreadable: Batch['unreadable'][number][] = [];
    for (const loaded of inbound.load([...chosen.messages, ...context].map(({ id }) => id))) {
      const attempt = attempts.get(loaded.kind === 'message' ? loaded.message.id : loaded.id);
      if (loaded.kind === 'message') {
        (attempt === undefined ? contextMessages : messages).push(loaded.message);
        continue;
      }
      this.#deps.log.warn({ messageId: loaded.id, err: loaded.error }, 'message unreadable');
      if (attempt !== undefined) {
        const { id, tries } = attempt;
        unreadable.push({ status: 'failed', id, tries, reason: loaded.error.message });
      }
    }
    return {
      messages,
      context: contextMessages,
      attempts: chosen.messages,
      contextIds: chosen.context.map(({ id }) => id),
      unreadable,
      destinations: inbound.listDestinations(),
      routing: inbound.findRouting() ?? null,
      inboundMaxSeq: inbound.maxSeq(),
    };
  }

  #now(): string {
    return isoAt(this.#deps.clock.now());
  }
}
