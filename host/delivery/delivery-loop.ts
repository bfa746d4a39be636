/**
 * Brings what containers wrote to the chats, in the order of each session. `sending` is noted before a send and the
 * outcome after it, so that a crash in between is seen afterwards. One session's trouble stays its own.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { BerthError, hasCode, toBerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { DeliveryRecord } from '../../shared/protocol/inbound-writer.js';
import type { OutboundRow } from '../../shared/protocol/outbound-reader.js';
import type { Address } from '../../shared/protocol/session-message.js';
import type { Channel } from '../channels/channel.js';
import type { Mailbox } from '../sessions/mailbox.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { Settlement } from '../sessions/settlement.js';
import type { DeliveryRetry } from '../store/delivery-retries.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { DeliveryBatch, PlannedSend } from './delivery-batch.js';
import { chatKey, decideDelivery } from './delivery-policy.js';

export interface DeliveryLoopDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly settlement: Settlement;
  readonly batch: DeliveryBatch;
  readonly findChannel: (channelType: string) => Channel | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** A session's files cannot be used. */
  readonly onDamaged: (sessionId: string, reason: string) => void;
  /** When to look again has been planned. */
  readonly onPlanned: () => void;
}

/** How many rows are looked at together. */
const pageSize = 100;

/** When to look again after a look that failed, in milliseconds. */
const retryLookMs = 5_000;

/** What is found out while a session's rows are gone through. */
interface Look {
  readonly session: Session;
  readonly now: string;
  readonly retries: ReadonlyMap<string, DeliveryRetry>;
  /** Chats that cannot take anything now: what comes later for them waits, to keep the order. */
  readonly blocked: Set<string>;
  readonly dueTimes: string[];
  /** Seq of the last row before the first one that is not final. */
  settledThrough: number;
  isContiguous: boolean;
}

/** What becomes of the rows that are looked at together. */
interface Page {
  readonly sends: PlannedSend[];
  readonly refusals: { readonly messageOutId: string; readonly reason: string }[];
  /** Rows whose time has not come. */
  readonly waiting: Set<string>;
}

export class DeliveryLoop {
  readonly #deps: DeliveryLoopDeps;
  readonly #looks: SingleFlight;
  /** A shortcut, not the truth: up to which seq everything is final. Without it the whole file is read once. */
  readonly #settledThrough = new Map<string, number>();
  readonly #endedContainers = new Set<string>();

  constructor(deps: DeliveryLoopDeps) {
    this.#deps = deps;
    this.#looks = new SingleFlight((sessionId) => this.#look(sessionId));
  }

  /** Look at a session soon. */
  nudge(sessionId: string): void {
    void this.#looks.request(sessionId);
  }

  /**
   * One more look after a session's container has ended: what it still claims, nobody works on. Throws when that
   * could not be written down: until it is, no other container may claim anything.
   */
  async finish(sessionId: string): Promise<void> {
    this.#endedContainers.add(sessionId);
    await this.#looks.request(sessionId);
    if (!this.#endedContainers.has(sessionId)) return;
    throw new BerthError('io_failed', 'What a container left behind could not be dealt with.', {
      facts: { sessionId },
    });
  }

  /** Resolves when no look is in progress. */
  async drain(): Promise<void> {
    await this.#looks.idle();
  }

  /** Never rejects: what goes wrong is this session's own. */
  async #look(sessionId: string): Promise<void> {
    const containerEnded = this.#endedContainers.delete(sessionId);
    try {
      await this.#lookInto(sessionId, containerEnded);
    } catch (err) {
      if (containerEnded) this.#endedContainers.add(sessionId);
      this.#deps.log.warn({ err, sessionId }, 'delivery look failed');
      this.#lookAgainSoon(sessionId);
    }
  }

  async #lookInto(sessionId: string, containerEnded: boolean): Promise<void> {
    const { store, settlement, onDamaged, onPlanned } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined) return;
    if (session.status === 'set-aside') {
      this.#forget(sessionId);
      return;
    }
    try {
      const acks = await settlement.readAcks(session);
      await this.#deliver(session);
      await settlement.settle(session, acks, containerEnded);
    } catch (error) {
      const isMissing = hasCode(error, 'database_missing');
      // A session that was never written to has no files yet.
      if (isMissing && store.dueItems.find(sessionId, 'wake') === undefined) return;
      if (!isMissing && !hasCode(error, 'database_corrupt', 'database_unreadable')) throw error;
      this.#forget(sessionId);
      onDamaged(sessionId, toBerthError(error).message);
      return;
    }
    onPlanned();
  }

  #lookAgainSoon(sessionId: string): void {
    const { store, clock, log, onPlanned } = this.#deps;
    const dueAt = isoAt(clock.now() + retryLookMs);
    try {
      store.dueItems.set({ sessionId, kind: 'deliver', dueAt, attempts: 0 });
      onPlanned();
    } catch (err) {
      log.error({ err, sessionId }, 'delivery not planned');
    }
  }

  /** Nothing can be done for this session any more. */
  #forget(sessionId: string): void {
    const { store } = this.#deps;
    store.dueItems.clear(sessionId, 'wake');
    store.dueItems.clear(sessionId, 'deliver');
    this.#settledThrough.delete(sessionId);
  }

  async #deliver(session: Session): Promise<void> {
    const { store, mailbox, clock } = this.#deps;
    const from = this.#settledThrough.get(session.id) ?? 0;
    const look: Look = {
      session,
      now: isoAt(clock.now()),
      retries: store.deliveryRetries.list(session.id),
      blocked: new Set(),
      dueTimes: [],
      settledThrough: from,
      isContiguous: true,
    };
    for (let after = from; ;) {
      const rows = await mailbox.outbound(session.id, (outbound) =>
        outbound.listAfter(after, pageSize),
      );
      if (rows.length > 0) await this.#deliverPage(look, rows);
      const last = rows.at(-1);
      if (last === undefined || rows.length < pageSize) break;
      after = last.seq;
    }
    this.#settledThrough.set(session.id, look.settledThrough);
    this.#planNext(look);
  }

  async #deliverPage(look: Look, rows: readonly OutboundRow[]): Promise<void> {
    const { mailbox, batch } = this.#deps;
    const { session } = look;
    const records = await mailbox.inbound(session.id, (inbound) =>
      inbound.findDeliveries(rows.map((row) => row.id)),
    );
    const page: Page = { sends: [], refusals: [], waiting: new Set() };
    for (const row of rows) this.#sort(look, row, records.get(row.id), page);
    await batch.refuse(session, page.refusals);
    const unsent = await batch.send(session, page.sends, look);
    look.dueTimes.push(...unsent.dueTimes);
    for (const row of rows) {
      if (page.waiting.has(row.id) || unsent.ids.has(row.id)) look.isContiguous = false;
      if (look.isContiguous) look.settledThrough = row.seq;
    }
  }

  /** Puts a row where its decision says. */
  #sort(look: Look, row: OutboundRow, record: DeliveryRecord | undefined, page: Page): void {
    const { session, now } = look;
    const address = addressOf(row) ?? this.#deps.sessions.projectionOf(session).routing;
    const channel = address === undefined ? undefined : this.#deps.findChannel(address.channelType);
    const isAllowed = address !== undefined && this.#isAllowed(session, address);
    const decision = decideDelivery(row, { now, record, address, isAllowed, channel });
    switch (decision.kind) {
      case 'settled':
        return;
      case 'not-yet':
        look.dueTimes.push(decision.dueAt);
        page.waiting.add(row.id);
        return;
      case 'refuse':
        page.refusals.push({ messageOutId: row.id, reason: decision.reason });
        return;
      case 'send':
        if (this.#mustWait(look, row, decision.address)) page.waiting.add(row.id);
        else page.sends.push({ row, ...decision });
    }
  }

  /** Whether an earlier failure keeps this row back, or one for the same chat before it. */
  #mustWait(look: Look, row: OutboundRow, address: Address): boolean {
    const chat = chatKey(address);
    const retry = look.retries.get(row.id);
    if (retry !== undefined && retry.dueAt > look.now) {
      look.dueTimes.push(retry.dueAt);
      look.blocked.add(chat);
    }
    return look.blocked.has(chat);
  }

  /** An agent may write to the chats that are wired to it and to its destinations. */
  #isAllowed(session: Session, address: Address): boolean {
    const { store } = this.#deps;
    const chat = store.messagingGroups.findByPlatform(address.channelType, address.platformId);
    if (chat?.id === session.messagingGroupId) return true;
    const isDestination = store.destinations
      .list(session.agentGroupId)
      .some(
        ({ channelType, platformId }) =>
          channelType === address.channelType && platformId === address.platformId,
      );
    if (isDestination || chat === undefined) return isDestination;
    return store.wirings
      .listForMessagingGroup(chat.id)
      .some((wiring) => wiring.agentGroupId === session.agentGroupId);
  }

  #planNext(look: Look): void {
    const { store } = this.#deps;
    const earliest = look.dueTimes.sort()[0];
    if (earliest === undefined) store.dueItems.clear(look.session.id, 'deliver');
    else {
      store.dueItems.set({
        sessionId: look.session.id,
        kind: 'deliver',
        dueAt: earliest,
        attempts: 0,
      });
    }
  }
}

function addressOf(row: OutboundRow): Address | undefined {
  if (row.channelType === null || row.platformId === null) return undefined;
  return { channelType: row.channelType, platformId: row.platformId, threadId: row.threadId };
}
