import { isoAt, type Clock } from '../../shared/base/clock.js';
import { hasCode, toBerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { DeliveryRecord } from '../../shared/protocol/inbound-writer.js';
import type { OutboundRow } from '../../shared/protocol/outbound-reader.js';
import type { Address, ChatOut } from '../../shared/protocol/session-message.js';
import type { Channel, OutboundEvent, SendOutcome } from '../channels/channel.js';
import type { Mailbox } from '../sessions/mailbox.js';
import { planRetry, type RetryLimits } from '../sessions/retry-policy.js';
import type { DeliveryRetry } from '../store/delivery-retries.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { chatKey } from './delivery-policy.js';
import type { OutboxFiles } from './outbox-files.js';
import { sendBounded } from './sender.js';

export interface PlannedSend {
  readonly row: OutboundRow;
  readonly channel: Channel;
  readonly address: Address;
  readonly chat: ChatOut;
}

export interface DeliveryBatchDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly outboxFiles: OutboxFiles;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly retry: RetryLimits;
  readonly sendTimeoutMs: number;
  readonly log: Logger;
}

/** What was not sent, and when to try again where that is known. */
export interface Unsent {
  readonly ids: ReadonlySet<string>;
  readonly dueTimes: readonly string[];
}

/** What is known of a session's sends before they begin. */
export interface SendState {
  /** Chats that take nothing for now; see chatKey. Grows while sending. */
  readonly blocked: Set<string>;
  /** By message id. */
  readonly retries: ReadonlyMap<string, DeliveryRetry>;
}

/** How many sends one `sending` note may cover, where sending twice does no harm. */
const batchSize = 25;

/** A platform's wish to be left alone is heeded up to a day. */
const longestWishMs = 24 * 60 * 60 * 1_000;

/** What is noted after some sends. */
interface Ledger {
  readonly records: (DeliveryRecord & { messageOutId: string })[];
  readonly forget: string[];
  readonly dueTimes: string[];
}

export class DeliveryBatch {
  readonly #deps: DeliveryBatchDeps;

  constructor(deps: DeliveryBatchDeps) {
    this.#deps = deps;
  }

  /** Sends in order. A chat that could not take something is added to `blocked`, and the rest for it waits. */
  async send(session: Session, sends: readonly PlannedSend[], state: SendState): Promise<Unsent> {
    const ids = new Set<string>();
    const dueTimes: string[] = [];
    for (const group of groupSends(sends)) {
      // What its chat cannot take now is not begun: begun and cut short, it would count as maybe sent.
      const ready = group.filter(({ address }) => !state.blocked.has(chatKey(address)));
      for (const planned of group) if (!ready.includes(planned)) ids.add(planned.row.id);
      if (ready.length === 0) continue;
      const ledger = await this.#sendGroup(session, ready, state);
      for (const id of ledger.forget) ids.add(id);
      dueTimes.push(...ledger.dueTimes);
    }
    return { ids, dueTimes };
  }

  /** Notes rows that will never be sent. */
  async refuse(
    session: Session,
    refusals: readonly { messageOutId: string; reason: string }[],
  ): Promise<void> {
    if (refusals.length === 0) return;
    const records = refusals.map(({ messageOutId }) => failedRecord(messageOutId));
    await this.#note(session, { records, forget: [] });
    for (const { messageOutId, reason } of refusals) this.#giveUp(session, messageOutId, reason);
  }

  async #sendGroup(
    session: Session,
    group: readonly PlannedSend[],
    { blocked, retries }: SendState,
  ): Promise<Ledger> {
    const ledger: Ledger = { records: [], forget: [], dueTimes: [] };
    const begun = group.map(({ row }) => ({
      messageOutId: row.id,
      status: 'sending' as const,
      platformMessageId: null,
    }));
    await this.#note(session, { records: begun, forget: [] });
    for (const planned of group) {
      const chat = chatKey(planned.address);
      if (blocked.has(chat)) {
        ledger.forget.push(planned.row.id);
        continue;
      }
      const outcome = await this.#sendOne(session, planned);
      const failures = retries.get(planned.row.id)?.attempts ?? 0;
      if (!this.#enter(session, planned, outcome, failures, ledger)) blocked.add(chat);
    }
    await this.#note(session, ledger);
    return ledger;
  }

  async #sendOne(
    session: Session,
    { row, channel, address, chat }: PlannedSend,
  ): Promise<SendOutcome> {
    try {
      const names = chat.operation === 'post' ? chat.files : [];
      const event: OutboundEvent = {
        address,
        messageId: row.id,
        inReplyTo: row.inReplyTo,
        chat,
        targetPlatformId: await this.#findTarget(session, chat),
        files: await this.#deps.outboxFiles.take(session.id, row.id, names),
      };
      return await sendBounded(channel, event, this.#deps.sendTimeoutMs);
    } catch (error) {
      // It was not sent: unless its files are at fault, it may go well next time.
      const retryable = !hasCode(error, 'file_refused');
      return { kind: 'failed', reason: toBerthError(error).message, retryable };
    }
  }

  /** Edits and reactions name a message by our id; the platform wants its own. */
  async #findTarget(session: Session, chat: ChatOut): Promise<string | null> {
    if (chat.operation === 'post') return null;
    const { messageId } = chat;
    const sent = await this.#deps.mailbox.inbound(session.id, (inbound) =>
      inbound.findDeliveries([messageId]),
    );
    return (
      sent.get(messageId)?.platformMessageId ??
      this.#deps.store.received.findPlatformId(messageId) ??
      null
    );
  }

  /** Writes an outcome into the ledger. False: this chat takes nothing more for now. */
  #enter(
    session: Session,
    planned: PlannedSend,
    outcome: SendOutcome,
    failures: number,
    ledger: Ledger,
  ): boolean {
    const { store } = this.#deps;
    const { row, address } = planned;
    switch (outcome.kind) {
      case 'sent':
        if (failures > 0) store.deliveryRetries.clear(session.id, row.id);
        ledger.records.push({
          messageOutId: row.id,
          status: 'delivered',
          platformMessageId: outcome.platformMessageId,
        });
        return true;
      case 'nobody-listening':
        store.awaitedListeners.add(session.id, address.channelType, address.platformId);
        ledger.forget.push(row.id);
        return false;
      case 'failed':
        return this.#enterFailure(session, row.id, outcome, failures, ledger);
    }
  }

  #enterFailure(
    session: Session,
    messageOutId: string,
    outcome: Extract<SendOutcome, { kind: 'failed' }>,
    failures: number,
    ledger: Ledger,
  ): boolean {
    const { store, clock, chance, retry, log } = this.#deps;
    const attempts = failures + 1;
    const plan = outcome.retryable
      ? planRetry(attempts, retry, chance())
      : { kind: 'give-up' as const };
    const fields = { sessionId: session.id, messageId: messageOutId, attempt: attempts };
    if (plan.kind === 'give-up') {
      ledger.records.push(failedRecord(messageOutId));
      this.#giveUp(session, messageOutId, outcome.reason);
      return true;
    }
    const waitMs = Math.max(plan.waitMs, heedWish(outcome.retryAfterMs ?? 0));
    const dueAt = isoAt(clock.now() + waitMs);
    log.warn({ ...fields, waitMs, reason: outcome.reason }, 'delivery will be tried again');
    store.deliveryRetries.set({
      sessionId: session.id,
      messageOutId,
      attempts,
      dueAt,
      reason: outcome.reason,
    });
    ledger.forget.push(messageOutId);
    ledger.dueTimes.push(dueAt);
    return false;
  }

  #giveUp(session: Session, messageOutId: string, reason: string): void {
    const { store, clock, log } = this.#deps;
    log.error({ sessionId: session.id, messageId: messageOutId, reason }, 'delivery given up');
    store.deliveryRetries.clear(session.id, messageOutId);
    store.deadLetters.insert({
      sessionId: session.id,
      direction: 'out',
      messageId: messageOutId,
      reason,
      createdAt: isoAt(clock.now()),
    });
  }

  async #note(session: Session, ledger: Pick<Ledger, 'records' | 'forget'>): Promise<void> {
    await this.#deps.mailbox.inbound(session.id, (inbound) => {
      inbound.recordDeliveries(ledger.records, ledger.forget, this.#deps.clock.now());
    });
  }
}

/** Platforms say all sorts of things. */
function heedWish(retryAfterMs: number): number {
  return Number.isNaN(retryAfterMs) ? 0 : Math.min(retryAfterMs, longestWishMs);
}

function failedRecord(messageOutId: string): DeliveryRecord & { messageOutId: string } {
  return { messageOutId, status: 'failed', platformMessageId: null };
}

/** Runs of sends that may be noted together: one by one where a repeat would show. */
function groupSends(sends: readonly PlannedSend[]): readonly (readonly PlannedSend[])[] {
  const groups: PlannedSend[][] = [];
  for (const send of sends) {
    const last = groups.at(-1);
    const fits =
      last !== undefined &&
      last.length < batchSize &&
      // An edit may be about one of them, and needs to find what became of it.
      send.chat.operation === 'post' &&
      send.channel.sendsAreIdempotent &&
      last.every(({ channel }) => channel.sendsAreIdempotent);
    if (fits) last.push(send);
    else groups.push([send]);
  }
  return groups;
}
