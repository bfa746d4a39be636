/** Takes away a session's old rows on the host's side, in slices with pauses between them. See docs/adr/0008. */
import { lstatSync } from 'node:fs';
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { delay } from '../../../shared/base/lifecycle.js';
import type { Slice, SliceRequest } from '../mailbox/inbound-pruner.js';
import { outboundDbPath } from '../../../shared/protocol/workspace.js';
import type { Store } from '../../store/store.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import type { SessionFolders } from '../session-folder.js';

export interface RowRetentionDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly folders: SessionFolders;
  readonly clock: Clock;
}

/** Of one transaction: it takes little longer than one with a single row. */
const rowsAtOnce = 25;
const pauseMs = 20;

/** While outbound.db is being written to, what is missing in it says nothing for sure. */
const quietMs = 60_000;

export class RowRetention {
  readonly #deps: RowRetentionDeps;

  constructor(deps: RowRetentionDeps) {
    this.#deps = deps;
  }

  /** Returns how many rows went. Throws what reading or writing throws; what went before stays gone. */
  async prune(sessionId: string, cutoff: string, signal: AbortSignal): Promise<number> {
    const { mailbox } = this.#deps;
    const inSlices = (slice: (request: SliceRequest) => Promise<Slice>): Promise<number> =>
      this.#inSlices(sessionId, cutoff, signal, slice);
    const messages = await inSlices((request) =>
      // The list of what is kept is asked for at the same moment: a message that is given up is noted there first.
      mailbox.inbound(sessionId, 'pruneMessages', request, this.#listKept(sessionId)),
    );
    await inSlices(async ({ limit }) => {
      const count = await mailbox.inbound(sessionId, 'cancelSurplusContext', limit);
      return { removed: count, next: count === limit ? 0 : undefined };
    });
    const deliveries = await inSlices((request) => this.#forgetDeliveries(sessionId, request));
    return messages + deliveries;
  }

  /** Lists what a person may still try again, and what is planned. */
  #listKept(sessionId: string): ReadonlySet<string> {
    const { store } = this.#deps;
    const letters = store.deadLetters.listForSession(sessionId);
    return new Set([
      ...letters.filter(({ direction }) => direction === 'in').map(({ messageId }) => messageId),
      ...store.tasks.listForSession(sessionId).map(({ messageId }) => messageId),
    ]);
  }

  /** An outcome may go when its message is gone from outbound.db: while it is there, it would be sent again. */
  async #forgetDeliveries(sessionId: string, request: SliceRequest): Promise<Slice> {
    const { mailbox } = this.#deps;
    const { old, next } = await mailbox.inbound(sessionId, 'listOldDeliveries', request);
    if (old.length === 0 || !this.#isOutboundQuiet(sessionId)) {
      return { removed: 0, next: undefined };
    }
    const ids = old.map(({ messageOutId }) => messageOutId);
    const existing = await mailbox.outbound(sessionId, 'findExisting', ids);
    const gone = old.filter(({ messageOutId }) => !existing.has(messageOutId));
    await mailbox.inbound(sessionId, 'forgetDeliveries', gone);
    return { removed: gone.length, next };
  }

  /** Where it is missing, nothing can be told from it either. */
  #isOutboundQuiet(sessionId: string): boolean {
    const { folders, clock } = this.#deps;
    const path = outboundDbPath(folders.outDir(sessionId));
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat !== undefined && clock.now() - stat.mtimeMs > quietMs;
  }

  /** Not while a file is to be repaired: what is changed meanwhile may not be seen by the repair. */
  async #inSlices(
    sessionId: string,
    cutoff: string,
    signal: AbortSignal,
    slice: (request: SliceRequest) => Promise<Slice>,
  ): Promise<number> {
    let removed = 0;
    for (let after: number | undefined = 0; after !== undefined && !signal.aborted;) {
      if (this.#deps.store.repairs.isWanted(sessionId)) return removed;
      const done: Slice = await slice({ after, limit: rowsAtOnce, cutoff });
      removed += done.removed;
      after = done.next;
      if (after !== undefined) await delay(pauseMs, signal);
    }
    return removed;
  }
}

/** ISO-8601: so many days ago. */
export function daysAgo(clock: Clock, days: number): string {
  return isoAt(clock.now() - days * dayMs);
}

export const dayMs = 86_400_000;
