/** Goes through what a session's container wrote, page by page, and decides each row: sent, refused, or waiting. */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { DeliveryRecord } from '../../shared/protocol/mailbox/inbound-rows.js';
import type { OutboundPage, OutboundRow } from '../../shared/protocol/mailbox/outbound-reader.js';
import type { Address } from '../../shared/protocol/session-message.js';
import { outboundDbName } from '../../shared/protocol/workspace.js';
import type { ChannelPort } from '../channels/channel.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { DeliveryBatch } from './delivery-batch.js';
import { chatKey, decideChat, decideDelivery } from './delivery-policy.js';
import type { DeliveryDraft } from './delivery-draft.js';
import {
  beginRowPass,
  earlier,
  newPage,
  type ActionPost,
  type Decided,
  type DeliveredRows,
  type Goal,
  type Page,
  type PlannedAction,
  type RowPass,
} from './row-pass.js';
import { PassStarts, startAfter, type PassStart } from './pass-starts.js';
import { findSettledThrough } from './settled-rows.js';
import type { UnknownSends } from './send/outcome-policy.js';
import type { ActionHandler } from './actions/action-handler.js';
import { mayWriteTo } from './write-permission.js';

export interface RowDeliveryDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly batch: DeliveryBatch;
  readonly actions: ActionHandler;
  readonly findChannel: (channelType: string) => ChannelPort | undefined;
  readonly unknownSendsOf: (channelType: string) => UnknownSends;
  readonly clock: Clock;
  readonly log: Logger;
}

/** In one pass: more than that no agent writes by mistake. The salvage of the file leaves nearly all of it out. */
const maxMalformed = 1_000;

/** So many refusals, and what else a closed session holds is not gone through. */
const maxRefusedWhenClosed = 100;

/** Ten times as long as it takes to read a row that waits for its time, in milliseconds. */
const paceMs = 0.3;

/** When an action that could not be done is tried again, in milliseconds. */
const busyAgainMs = 2_000;

/** How many rows are read together. */
export const pageSize = 100;
export class RowDelivery {
  readonly #deps: RowDeliveryDeps;
  readonly #starts = new PassStarts();

  constructor(deps: RowDeliveryDeps) {
    this.#deps = deps;
  }

  /** A row that was final is to be sent after all: the next pass begins at its seq. */
  reopen(sessionId: string, seq: number): void {
    this.#starts.reopen(sessionId, seq);
  }

  /** The next pass goes through all of the session's rows. */
  forget(sessionId: string): void {
    this.#starts.forget(sessionId);
  }

  /** Says after which seq the next pass begins. Rows that were final before this daemon's first pass are skipped. */
  async begin(session: Session): Promise<PassStart> {
    const now = isoAt(this.#deps.clock.now());
    const known = this.#starts.take(session.id, now);
    if (known !== undefined) return known;
    const start = startAfter(await findSettledThrough(this.#deps.mailbox, session.id));
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
      readonly start: PassStart;
      readonly page: OutboundPage | undefined;
      readonly draft: DeliveryDraft;
    },
    isStopping: () => boolean,
  ): Promise<DeliveredRows> {
    const { store, mailbox, clock, batch } = this.#deps;
    const pass = beginRowPass(session, {
      now: isoAt(clock.now()),
      retries: store.deliveryRetries.list(session.id),
      start,
      draft,
    });
    for (let next = page; next !== undefined;) {
      if (next.rows.length > 0) await this.#deliverPage(pass, next.rows);
      const last = next.rows.at(-1);
      if (last === undefined || next.isLast) break;
      if (isStopping()) return { isComplete: false, dueAt: undefined };
      if (!this.#isWorthwhile(pass)) break;
      const after = last.seq;
      next = await mailbox.readPage(session.id, { after, limit: pageSize, acksOf: [] });
    }
    batch.endRefusals(session);
    this.#pace(pass);
    const { settledThrough, waitsThrough, waitsUntil } = pass;
    const isUnseen = pass.isInTime;
    this.#starts.note(session.id, { settledThrough, waitsThrough, waitsUntil, isUnseen });
    return { isComplete: true, dueAt: pass.earliest };
  }

  /** Each pass in which one of them is due goes through all that wait: however many, they take a tenth of this thread. */
  #pace(pass: RowPass): void {
    if (pass.waitsUntil === undefined) return;
    const soonest = isoAt(this.#deps.clock.now() + pass.later * paceMs);
    if (pass.waitsUntil > soonest) return;
    if (pass.earliest === pass.waitsUntil) pass.earliest = soonest;
    pass.waitsUntil = soonest;
  }

  /** Messages that were said before a session was closed are sent; a flood in it is not read to the end. */
  #isWorthwhile({ session: { id }, refused }: RowPass): boolean {
    const status = this.#deps.store.sessions.find(id)?.status;
    return status === 'active' || (status === 'closed' && refused <= maxRefusedWhenClosed);
  }

  async #deliverPage(pass: RowPass, rows: readonly OutboundRow[]): Promise<void> {
    const { mailbox, batch } = this.#deps;
    const { session } = pass;
    const ids = rows.map((row) => row.id);
    const records = pass.isUnseen
      ? new Map<string, DeliveryRecord>()
      : await mailbox.inbound(session.id, 'findDeliveries', ids);
    const page = newPage();
    for (const row of rows) this.#sort(pass, row, records.get(row.id), page);
    pass.refused += page.refusals.length;
    pass.malformed += page.refusals.filter(({ isMalformed }) => isMalformed === true).length;
    if (pass.malformed > maxMalformed) throw this.#flooded(pass);
    await this.#act(pass, page);
    await batch.refuse(session, page.refusals, pass.draft);
    const unsent = await batch.send(session, page.sends, pass);
    for (const dueAt of unsent.dueTimes) pass.earliest = earlier(pass.earliest, dueAt);
    for (const { id, seq } of rows) {
      const isHeld = page.waiting.has(id) || unsent.ids.has(id);
      if (isHeld) pass.isInTime = false;
      if (isHeld || page.later.has(id)) pass.isContiguous = false;
      if (pass.isContiguous) pass.settledThrough = seq;
      if (pass.isInTime) pass.waitsThrough = seq;
    }
  }

  /**
   * In their order. An action that was done is noted with the next thing that is written; done again, it is known by
   * its row.
   */
  async #act(pass: RowPass, page: Page): Promise<void> {
    const { actions, waiting } = page;
    for (const one of actions) {
      const outcome = pass.isBusy ? undefined : await this.#deps.actions.handle(pass.session, one);
      if (outcome === undefined) {
        pass.isBusy = true;
        pass.earliest = earlier(pass.earliest, isoAt(this.#deps.clock.now() + busyAgainMs));
        waiting.add(one.row.id);
        continue;
      }
      if (outcome.post !== undefined && this.#isOpen(outcome.post)) {
        this.#say(pass, one, outcome.post, page);
        continue;
      }
      const isDone = outcome.isDone && outcome.post === undefined;
      const status = isDone ? 'delivered' : 'failed';
      pass.draft.add({ messageOutId: one.row.id, status, platformMessageId: null }, false);
    }
  }

  /** A question that has ended while nobody could be asked is not asked any more. */
  #isOpen({ question: { id } }: ActionPost): boolean {
    const claimedBy = this.#deps.store.questions.find(id)?.claimedBy;
    return claimedBy !== undefined && claimedBy !== 'expired' && claimedBy !== 'withdrawn';
  }

  /** The row is a message in its chat, too: it has its place among the others. */
  #say(
    pass: RowPass,
    { row, facts }: PlannedAction,
    { text, question }: ActionPost,
    page: Page,
  ): void {
    const decision = decideChat({ operation: 'post', text, files: [] }, facts);
    this.#place(pass, { row, facts, decision, question }, page);
    page.sends.sort((one, other) => one.row.seq - other.row.seq);
  }

  #flooded({ session: { id }, malformed }: RowPass): BerthError {
    const { log } = this.#deps;
    log.error({ sessionId: id, count: malformed }, 'agent writes what is no message');
    return new BerthError('database_corrupt', 'outbound.db is full of what is no message.', {
      facts: { path: outboundDbName },
    });
  }

  /** Puts a row where its decision says. */
  #sort(pass: RowPass, row: OutboundRow, record: DeliveryRecord | undefined, page: Page): void {
    const maybeSent = pass.retries.get(row.id)?.maybeSent === true;
    const facts = { ...this.#goalOf(pass, row, page), record, maybeSent };
    this.#place(pass, { row, facts, decision: decideDelivery(row, facts) }, page);
  }

  #place(pass: RowPass, { row, facts, decision, question }: Decided, page: Page): void {
    const { maybeSent, isAllowed, channel } = facts;
    const isBegun = facts.record?.status === 'sending';
    switch (decision.kind) {
      case 'settled':
        return;
      case 'not-yet':
        pass.earliest = earlier(pass.earliest, decision.dueAt);
        pass.waitsUntil = earlier(pass.waitsUntil, decision.dueAt);
        page.later.add(row.id);
        pass.later += 1;
        return;
      case 'refuse':
        page.refusals.push({ row, ...decision, maybeSent: isBegun || maybeSent });
        return;
      case 'act':
        page.actions.push({
          row,
          system: decision.system,
          address: isAllowed && channel !== undefined ? facts.address : undefined,
          facts,
        });
        return;
      case 'send':
        if (this.#mustWait(pass, row, decision.address)) page.waiting.add(row.id);
        else page.sends.push({ row, ...decision, wasBegun: isBegun, question });
    }
  }

  #goalOf(pass: RowPass, row: OutboundRow, { goals }: Page): Goal {
    const key = JSON.stringify([row.channelType, row.platformId, row.threadId]);
    const goal = goals.get(key) ?? this.#findGoal(pass, row);
    goals.set(key, goal);
    return goal;
  }

  /** Finds where a row goes, and what that means. */
  #findGoal({ session, now }: RowPass, row: OutboundRow): Goal {
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
  #mustWait(pass: RowPass, row: OutboundRow, address: Address): boolean {
    const chat = chatKey(address);
    const retry = pass.retries.get(row.id);
    if (retry !== undefined && retry.dueAt > pass.now) {
      pass.earliest = earlier(pass.earliest, retry.dueAt);
      pass.blocked.add(chat);
    }
    return pass.blocked.has(chat);
  }
}

function addressOf(row: OutboundRow): Address | undefined {
  if (row.channelType === null || row.platformId === null) return undefined;
  return { channelType: row.channelType, platformId: row.platformId, threadId: row.threadId };
}
