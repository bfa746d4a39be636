/** Goes through what a session's container wrote, page by page, and decides each row: sent, refused, or waiting. */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { DeliveryRecord } from '../../shared/protocol/mailbox/inbound-rows.js';
import type { OutboundPage, OutboundRow } from '../../shared/protocol/mailbox/outbound-reader.js';
import type { Address } from '../../shared/protocol/session-message.js';
import { outboundDbName } from '../../shared/protocol/workspace.js';
import type { Channel } from '../channels/channel.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { DeliveryRetry } from '../store/delivery-retries.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { DeliveryBatch } from './delivery-batch.js';
import { chatKey, decideDelivery, type DeliveryFacts } from './delivery-policy.js';
import type { DeliveryDraft } from './delivery-draft.js';
import { LookStarts, startAfter, type LookStart } from './look-starts.js';
import type { PlannedSend } from './planned-send.js';
import type { UnknownSends } from './send/outcome-policy.js';
import type { Undelivered } from './undelivered.js';
import { mayWriteTo } from './write-permission.js';

export interface RowDeliveryDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly batch: DeliveryBatch;
  readonly findChannel: (channelType: string) => Channel | undefined;
  readonly unknownSendsOf: (channelType: string) => UnknownSends;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Of one look: more than that no agent writes by mistake. The salvage of the file leaves nearly all of it out. */
const maxMalformed = 1_000;

/** So many refusals, and what else a closed session holds is not gone through. */
const maxRefusedWhenClosed = 100;

/** Ten times as long as it takes to look at a row that waits for its time, in milliseconds. */
const paceMs = 0.3;

/** How many rows are looked at together. */
export const pageSize = 100;
/** How many are passed over together that are final already. */
const headsAtOnce = 1_000;

/** What is found out while a session's rows are gone through. */
interface Look {
  readonly session: Session;
  readonly now: string;
  readonly retries: ReadonlyMap<string, DeliveryRetry>;
  /** Chats that cannot take anything now: what comes later for them waits, to keep the order. */
  readonly blocked: Set<string>;
  readonly draft: DeliveryDraft;
  /** Of these rows nothing is noted yet. */
  readonly isUnseen: boolean;
  /** ISO-8601: when to look again. */
  earliest: string | undefined;
  /** The fields of a LookStart, as far as it has come. */
  settledThrough: number;
  waitsThrough: number;
  waitsUntil: string | undefined;
  /** Whether all rows so far are final. */
  isContiguous: boolean;
  /** Whether all rows so far are final, or wait for their time only. */
  isInTime: boolean;
  /** How many rows wait for their time. */
  later: number;
  /** How many rows will never be sent. */
  refused: number;
  /** How many of them are no messages at all. */
  malformed: number;
}

/** What has become of a session's rows. */
export interface DeliveredRows {
  /** False where the daemon stops before the last of them. */
  readonly isComplete: boolean;
  /** When to look at them again, ISO-8601; undefined: when there are new ones. */
  readonly dueAt: string | undefined;
}

type Goal = Omit<DeliveryFacts, 'record' | 'maybeSent'>;

/** What becomes of the rows that are looked at together. */
interface Page {
  /** What is known of where its rows go: many go to the same chat. */
  readonly goals: Map<string, Goal>;
  readonly sends: PlannedSend[];
  readonly refusals: Undelivered[];
  /** Rows whose time has not come. */
  readonly later: Set<string>;
  /** Rows that an earlier failure keeps back. */
  readonly waiting: Set<string>;
}

export class RowDelivery {
  readonly #deps: RowDeliveryDeps;
  readonly #starts = new LookStarts();

  constructor(deps: RowDeliveryDeps) {
    this.#deps = deps;
  }

  /** A row that was final is to be sent after all: the next look begins at its seq. */
  reopen(sessionId: string, seq: number): void {
    this.#starts.reopen(sessionId, seq);
  }

  /** The next look goes through all of the session's rows. */
  forget(sessionId: string): void {
    this.#starts.forget(sessionId);
  }

  /** After which seq the next look begins. What was final before this daemon's first look is passed over. */
  async begin(session: Session): Promise<LookStart> {
    const now = isoAt(this.#deps.clock.now());
    const known = this.#starts.take(session.id, now);
    if (known !== undefined) return known;
    const start = startAfter(await this.#findSettledThrough(session.id));
    this.#starts.note(session.id, start);
    return start;
  }

  /** Goes through the session's rows, from the first page on that was read after `start`. */
  async deliver(
    session: Session,
    {
      start,
      page,
      draft,
    }: {
      readonly start: LookStart;
      readonly page: OutboundPage | undefined;
      readonly draft: DeliveryDraft;
    },
    isStopping: () => boolean,
  ): Promise<DeliveredRows> {
    const { store, mailbox, clock, batch } = this.#deps;
    const look: Look = {
      session,
      now: isoAt(clock.now()),
      retries: store.deliveryRetries.list(session.id),
      blocked: new Set(),
      draft,
      ...start,
      earliest: start.waitsUntil,
      isContiguous: start.waitsUntil === undefined,
      isInTime: true,
      later: 0,
      refused: 0,
      malformed: 0,
    };
    for (let next = page; next !== undefined;) {
      if (next.rows.length > 0) await this.#deliverPage(look, next.rows);
      const last = next.rows.at(-1);
      if (last === undefined || next.isLast) break;
      if (isStopping()) return { isComplete: false, dueAt: undefined };
      if (!this.#isWorthwhile(look)) break;
      const after = last.seq;
      next = await mailbox.readPage(session.id, { after, limit: pageSize, acksOf: [] });
    }
    batch.endRefusals(session);
    this.#pace(look);
    const { settledThrough, waitsThrough, waitsUntil } = look;
    const isUnseen = look.isInTime;
    this.#starts.note(session.id, { settledThrough, waitsThrough, waitsUntil, isUnseen });
    return { isComplete: true, dueAt: look.earliest };
  }

  /** The last seq of the rows, from the first on, that are final. */
  async #findSettledThrough(sessionId: string): Promise<number> {
    const { mailbox } = this.#deps;
    for (let through = 0; ;) {
      const heads = await mailbox.outbound(sessionId, 'listHeads', through, headsAtOnce);
      if (heads.length === 0 || (heads[0]?.seq ?? 0) <= through) return through;
      const ids = heads.map(({ id }) => id);
      const settled = await mailbox.inbound(sessionId, 'findSettledOut', ids);
      const open = heads.findIndex(({ id }) => !settled.has(id));
      const last = open === -1 ? heads.at(-1) : heads[open - 1];
      through = last?.seq ?? through;
      if (open !== -1 || heads.length < headsAtOnce) return through;
    }
  }

  /** Each look that one of them is due goes through all that wait: however many, they take a tenth of this thread. */
  #pace(look: Look): void {
    if (look.waitsUntil === undefined) return;
    const soonest = isoAt(this.#deps.clock.now() + look.later * paceMs);
    if (look.waitsUntil > soonest) return;
    if (look.earliest === look.waitsUntil) look.earliest = soonest;
    look.waitsUntil = soonest;
  }

  /** What was said before a session was closed is sent; what it was full of is not looked at to the end. */
  #isWorthwhile({ session: { id }, refused }: Look): boolean {
    const status = this.#deps.store.sessions.find(id)?.status;
    return status === 'active' || (status === 'closed' && refused <= maxRefusedWhenClosed);
  }

  async #deliverPage(look: Look, rows: readonly OutboundRow[]): Promise<void> {
    const { mailbox, batch } = this.#deps;
    const { session } = look;
    const ids = rows.map((row) => row.id);
    const records = look.isUnseen
      ? new Map<string, DeliveryRecord>()
      : await mailbox.inbound(session.id, 'findDeliveries', ids);
    const page: Page = {
      goals: new Map(),
      sends: [],
      refusals: [],
      later: new Set(),
      waiting: new Set(),
    };
    for (const row of rows) this.#sort(look, row, records.get(row.id), page);
    look.refused += page.refusals.length;
    look.malformed += page.refusals.filter(({ isMalformed }) => isMalformed === true).length;
    if (look.malformed > maxMalformed) throw this.#flooded(look);
    await batch.refuse(session, page.refusals, look.draft);
    const unsent = await batch.send(session, page.sends, look);
    for (const dueAt of unsent.dueTimes) look.earliest = earlier(look.earliest, dueAt);
    for (const { id, seq } of rows) {
      const isHeld = page.waiting.has(id) || unsent.ids.has(id);
      if (isHeld) look.isInTime = false;
      if (isHeld || page.later.has(id)) look.isContiguous = false;
      if (look.isContiguous) look.settledThrough = seq;
      if (look.isInTime) look.waitsThrough = seq;
    }
  }

  #flooded({ session: { id }, malformed }: Look): BerthError {
    const { log } = this.#deps;
    log.error({ sessionId: id, count: malformed }, 'agent writes what is no message');
    return new BerthError('database_corrupt', 'outbound.db is full of what is no message.', {
      facts: { path: outboundDbName },
    });
  }

  /** Puts a row where its decision says. */
  #sort(look: Look, row: OutboundRow, record: DeliveryRecord | undefined, page: Page): void {
    const isBegun = record?.status === 'sending';
    const maybeSent = look.retries.get(row.id)?.maybeSent === true;
    const decision = decideDelivery(row, { ...this.#goalOf(look, row, page), record, maybeSent });
    switch (decision.kind) {
      case 'settled':
        return;
      case 'not-yet':
        look.earliest = earlier(look.earliest, decision.dueAt);
        look.waitsUntil = earlier(look.waitsUntil, decision.dueAt);
        page.later.add(row.id);
        look.later += 1;
        return;
      case 'refuse':
        page.refusals.push({ row, ...decision, maybeSent: isBegun || maybeSent });
        return;
      case 'send':
        if (this.#mustWait(look, row, decision.address)) page.waiting.add(row.id);
        else page.sends.push({ row, ...decision, wasBegun: isBegun });
    }
  }

  #goalOf(look: Look, row: OutboundRow, { goals }: Page): Goal {
    const key = JSON.stringify([row.channelType, row.platformId, row.threadId]);
    const goal = goals.get(key) ?? this.#findGoal(look, row);
    goals.set(key, goal);
    return goal;
  }

  /** Where a row goes, and what that means. */
  #findGoal({ session, now }: Look, row: OutboundRow): Goal {
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
      look.earliest = earlier(look.earliest, retry.dueAt);
      look.blocked.add(chat);
    }
    return look.blocked.has(chat);
  }
}

function earlier(one: string | undefined, other: string): string {
  return one === undefined || other < one ? other : one;
}

function addressOf(row: OutboundRow): Address | undefined {
  if (row.channelType === null || row.platformId === null) return undefined;
  return { channelType: row.channelType, platformId: row.platformId, threadId: row.threadId };
}
