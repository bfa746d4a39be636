/**
 * Brings what containers wrote to the chats, in the order of each session. `sending` is noted before a send and the
 * outcome after it, so that a crash in between is seen afterwards. One session's trouble stays its own.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { DeliveryRecord } from '../../shared/protocol/inbound-writer.js';
import type { OutboundRow } from '../../shared/protocol/outbound-reader.js';
import type { Address } from '../../shared/protocol/session-message.js';
import { outboundDbName } from '../../shared/protocol/workspace.js';
import type { Channel } from '../channels/channel.js';
import type { Mailbox } from '../sessions/mailbox.js';
import type { SessionRecovery } from '../sessions/repair/session-recovery.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { Settlement } from '../sessions/settlement.js';
import type { DeliveryRetry } from '../store/delivery-retries.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { DeliveryBatch, PlannedSend } from './delivery-batch.js';
import {
  chatKey,
  decideDelivery,
  type DeliveryFacts,
  type UnknownSends,
} from './delivery-policy.js';
import type { Undelivered } from './failure-reports.js';
import { mayWriteTo } from './write-permission.js';

export interface DeliveryLoopDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly settlement: Settlement;
  readonly batch: DeliveryBatch;
  readonly findChannel: (channelType: string) => Channel | undefined;
  readonly unknownSendsOf: (channelType: string) => UnknownSends;
  readonly clock: Clock;
  /** When to look again after a look that failed, in milliseconds. */
  readonly lookAgainMs: number;
  readonly log: Logger;
  /** What becomes of a session whose files cannot be used. */
  readonly recovery: Pick<SessionRecovery, 'assertWhole' | 'repair' | 'report'>;
  /** When to look again has been planned. */
  readonly onPlanned: () => void;
}

/** Of one look: more than that no agent writes by mistake. */
const maxRefused = 10_000;

/** How many rows are looked at together. */
const pageSize = 100;

/** One for each file of a session. */
const maxMends = 3;

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
  /** How many rows will never be sent. */
  refused: number;
}

/** What becomes of the rows that are looked at together. */
interface Page {
  readonly sends: PlannedSend[];
  readonly refusals: Undelivered[];
  /** Rows whose time has not come. */
  readonly waiting: Set<string>;
}

export class DeliveryLoop {
  readonly #deps: DeliveryLoopDeps;
  readonly #looks: SingleFlight;
  /** A shortcut, not the truth: up to which seq everything is final. Without it the whole file is read once. */
  readonly #settledThrough = new Map<string, number>();
  /** With the messages whose try has failed with the container, whatever it said of them. */
  readonly #endedContainers = new Map<string, ReadonlySet<string>>();
  /** From which seq on something that was final is so no more. */
  readonly #reopened = new Map<string, number>();
  /** Looks that could not be planned in the database, as when the disk is full. */
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isStopping = false;

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
  async finish(sessionId: string, condemned: ReadonlySet<string>): Promise<void> {
    this.#endedContainers.set(sessionId, condemned);
    await this.#looks.request(sessionId);
    if (!this.#endedContainers.has(sessionId)) return;
    throw new BerthError('io_failed', 'What a container left behind could not be dealt with.', {
      facts: { sessionId },
    });
  }

  /** A row that was final is to be sent after all: looks from its seq on. */
  reopen(sessionId: string, seq: number): void {
    this.#reopened.set(sessionId, Math.min(seq, this.#reopened.get(sessionId) ?? seq));
    this.nudge(sessionId);
  }

  /** Resolves when no look is in progress; none begins by itself any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await this.drain();
  }

  /** Resolves when no look is in progress. */
  async drain(): Promise<void> {
    await this.#looks.idle();
  }

  /** Never rejects: what goes wrong is this session's own. */
  async #look(sessionId: string): Promise<void> {
    const condemned = this.#endedContainers.get(sessionId);
    this.#endedContainers.delete(sessionId);
    try {
      await this.#lookInto(sessionId, condemned);
    } catch (err) {
      if (condemned !== undefined) this.#endedContainers.set(sessionId, condemned);
      this.#deps.log.warn({ err, sessionId }, 'delivery look failed');
      this.#lookAgainSoon(sessionId);
    }
  }

  async #lookInto(sessionId: string, condemned: ReadonlySet<string> | undefined): Promise<void> {
    const { store, recovery, onPlanned } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined) return;
    if (session.status === 'set-aside') {
      this.#forget(sessionId);
      return;
    }
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#goThrough(session, condemned);
        break;
      } catch (error) {
        if (!recovery.report(sessionId, error)) throw error;
        this.#settledThrough.delete(sessionId);
        // After its container has ended, what was found can be mended at once.
        if (condemned === undefined || attempt === maxMends) return;
      }
    }
    onPlanned();
  }

  async #goThrough(session: Session, condemned: ReadonlySet<string> | undefined): Promise<void> {
    const { settlement, recovery } = this.#deps;
    let failed = condemned;
    if (condemned !== undefined) {
      const unanswered = await recovery.repair(session.id);
      if (unanswered !== undefined) {
        this.#settledThrough.delete(session.id);
        failed = new Set([...condemned, ...unanswered]);
      }
    }
    await recovery.assertWhole(session.id);
    const acks = await settlement.readAcks(session);
    await this.#deliver(session);
    await settlement.settle(session, acks, failed);
  }

  #lookAgainSoon(sessionId: string): void {
    const { store, clock, lookAgainMs, log, onPlanned } = this.#deps;
    const dueAt = isoAt(clock.now() + lookAgainMs);
    try {
      store.dueItems.set({ sessionId, kind: 'deliver', dueAt, attempts: 0 });
      onPlanned();
    } catch (err) {
      log.error({ err, sessionId }, 'delivery not planned');
      this.#remember(sessionId);
    }
  }

  /** What cannot be written down is kept in mind: a disk that has room again tells nobody. */
  #remember(sessionId: string): void {
    if (this.#isStopping || this.#timers.has(sessionId)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(sessionId);
      this.nudge(sessionId);
    }, this.#deps.lookAgainMs);
    this.#timers.set(sessionId, timer);
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
    const from = this.#takeStart(session.id);
    const look: Look = {
      session,
      now: isoAt(clock.now()),
      retries: store.deliveryRetries.list(session.id),
      blocked: new Set(),
      dueTimes: [],
      settledThrough: from,
      isContiguous: true,
      refused: 0,
    };
    for (let after = from; ;) {
      const rows = await mailbox.outbound(session.id, (outbound) =>
        outbound.listAfter(after, pageSize),
      );
      if (rows.length > 0) await this.#deliverPage(look, rows);
      const last = rows.at(-1);
      if (last === undefined || rows.length < pageSize) break;
      after = last.seq;
      // A file may hold very many rows: after each page others get their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#settledThrough.set(session.id, look.settledThrough);
    this.#planNext(look);
  }

  /** After which seq to look. */
  #takeStart(sessionId: string): number {
    const reopened = this.#reopened.get(sessionId) ?? Number.POSITIVE_INFINITY;
    const from = Math.min(this.#settledThrough.get(sessionId) ?? 0, reopened - 1);
    this.#settledThrough.set(sessionId, from);
    this.#reopened.delete(sessionId);
    return from;
  }

  async #deliverPage(look: Look, rows: readonly OutboundRow[]): Promise<void> {
    const { mailbox, batch } = this.#deps;
    const { session } = look;
    const records = await mailbox.inbound(session.id, (inbound) =>
      inbound.findDeliveries(rows.map((row) => row.id)),
    );
    const page: Page = { sends: [], refusals: [], waiting: new Set() };
    for (const row of rows) this.#sort(look, row, records.get(row.id), page);
    look.refused += page.refusals.length;
    if (look.refused > maxRefused) throw this.#flooded(session);
    await batch.refuse(session, page.refusals);
    const unsent = await batch.send(session, page.sends, look);
    look.dueTimes.push(...unsent.dueTimes);
    for (const row of rows) {
      if (page.waiting.has(row.id) || unsent.ids.has(row.id)) look.isContiguous = false;
      if (look.isContiguous) look.settledThrough = row.seq;
    }
  }

  #flooded({ id }: Session): BerthError {
    const { log } = this.#deps;
    log.error({ sessionId: id }, 'agent writes what is no message');
    return new BerthError('database_corrupt', 'outbound.db is full of what is no message.', {
      facts: { path: outboundDbName },
    });
  }

  /** Puts a row where its decision says. */
  #sort(look: Look, row: OutboundRow, record: DeliveryRecord | undefined, page: Page): void {
    const isBegun = record?.status === 'sending';
    const maybeSent = look.retries.get(row.id)?.maybeSent === true;
    const decision = decideDelivery(row, { ...this.#findGoal(look, row), record, maybeSent });
    switch (decision.kind) {
      case 'settled':
        return;
      case 'not-yet':
        look.dueTimes.push(decision.dueAt);
        page.waiting.add(row.id);
        return;
      case 'refuse':
        page.refusals.push({ row, ...decision, maybeSent: isBegun || maybeSent });
        return;
      case 'send':
        if (this.#mustWait(look, row, decision.address)) page.waiting.add(row.id);
        else page.sends.push({ row, ...decision, wasBegun: isBegun });
    }
  }

  /** Where a row goes, and what that means. */
  #findGoal({ session, now }: Look, row: OutboundRow): Omit<DeliveryFacts, 'record' | 'maybeSent'> {
    const { store, sessions, findChannel, unknownSendsOf } = this.#deps;
    const address = addressOf(row) ?? sessions.projectionOf(session).routing;
    return {
      now,
      address,
      isAllowed: address !== undefined && mayWriteTo(store, session, address),
      channel: address === undefined ? undefined : findChannel(address.channelType),
      unknownSends: unknownSendsOf(address?.channelType ?? ''),
    };
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
