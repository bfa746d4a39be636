import { isoAt, type Clock } from '../../shared/base/clock.js';
import { hasCode, toBerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { NewDeliveryRecord } from '../../shared/protocol/inbound-rows.js';
import type { OutboundRow } from '../../shared/protocol/outbound-reader.js';
import type { Address, ChatOut } from '../../shared/protocol/session-message.js';
import type { Channel, OutboundEvent, SendOutcome } from '../channels/channel.js';
import type { Mailbox } from '../sessions/mailbox.js';
import { retryLimitsOf } from '../sessions/retry-limits.js';
import { planRetry } from '../sessions/retry-policy.js';
import type { DeliveryRetry } from '../store/delivery-retries.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { chatKey, wouldShowTwice, type UnknownSends } from './delivery-policy.js';
import type { DeliveryDraft } from './delivery-draft.js';
import type { FailureReports } from './failure-reports.js';
import type { OutboxFiles } from './outbox-files.js';
import { sendBounded } from './sender.js';
import type { Undelivered } from './undelivered.js';

export interface PlannedSend {
  readonly row: OutboundRow;
  readonly channel: Channel;
  readonly address: Address;
  readonly chat: ChatOut;
  /** It may have arrived before, and says so. */
  readonly isRepeat: boolean;
  /** A send of it was begun before. */
  readonly wasBegun: boolean;
}

export interface DeliveryBatchDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly outboxFiles: OutboxFiles;
  readonly reports: FailureReports;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly sendTimeoutMs: number;
  readonly unknownSendsOf: (channelType: string) => UnknownSends;
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
  /** Takes the outcomes. */
  readonly draft: DeliveryDraft;
}

/** How many sends one `sending` note may cover, where sending twice does no harm. */
const batchSize = 25;

/** A platform's wish to be left alone is heeded up to a day. */
const longestWishMs = 24 * 60 * 60 * 1_000;

/** A send that went wrong, and what is known of it. */
type Failure = Extract<SendOutcome, { kind: 'failed' }> & {
  /** It may have arrived all the same. */
  readonly maybeSent?: boolean;
  /** The reason is plain enough for whoever waits. */
  readonly isPlain?: boolean;
};

/** What was not sent of some sends, and when to try again where that is known. */
interface Rest {
  readonly ids: string[];
  readonly dueTimes: string[];
}

/** `taken`: its outcome is final. Otherwise it waits, and its chat with it; `dueAt`: ISO-8601. */
type Entry = 'taken' | { readonly dueAt: string | undefined };

export class DeliveryBatch {
  readonly #deps: DeliveryBatchDeps;

  constructor(deps: DeliveryBatchDeps) {
    this.#deps = deps;
  }

  /**
   * Sends in order. A chat that could not take something is added to `blocked`, and the rest for it waits. Outcomes are
   * in the draft afterwards, also where it throws.
   */
  async send(session: Session, sends: readonly PlannedSend[], state: SendState): Promise<Unsent> {
    const ids = new Set<string>();
    const dueTimes: string[] = [];
    for (const group of groupSends(sends)) {
      // What its chat cannot take now is not begun: begun and cut short, it would count as maybe sent.
      const ready = group.filter(({ address }) => !state.blocked.has(chatKey(address)));
      for (const planned of group) if (!ready.includes(planned)) ids.add(planned.row.id);
      if (ready.length === 0) continue;
      const rest = await this.#sendGroup(session, ready, state);
      for (const id of rest.ids) ids.add(id);
      dueTimes.push(...rest.dueTimes);
    }
    return { ids, dueTimes };
  }

  /** Tells of rows that will never be sent, and puts that into the draft. */
  async refuse(
    session: Session,
    refusals: readonly Undelivered[],
    draft: DeliveryDraft,
  ): Promise<void> {
    if (refusals.length === 0) return;
    await this.#deps.reports.reportRefusals(session, refusals);
    for (const { row } of refusals) draft.add(failedRecord(row.id), false);
  }

  /** Writes what is in the draft, with sends that begin now. */
  async write(
    session: Session,
    draft: DeliveryDraft,
    begun: readonly PlannedSend[] = [],
  ): Promise<void> {
    const taken = draft.take();
    const sending = begun.map(({ row }) => ({
      messageOutId: row.id,
      status: 'sending' as const,
      platformMessageId: null,
    }));
    const records = [...taken.records, ...sending];
    if (records.length + taken.forget.length === 0) return;
    const { mailbox, clock } = this.#deps;
    try {
      const now = clock.now();
      await mailbox.inbound(session.id, 'recordDeliveries', records, taken.forget, now);
    } catch (error) {
      draft.putBack(taken);
      throw error;
    }
  }

  /** All of a look were refused. */
  endRefusals(session: Session): void {
    this.#deps.reports.logCrowds(session);
  }

  async #sendGroup(
    session: Session,
    group: readonly PlannedSend[],
    { blocked, retries, draft }: SendState,
  ): Promise<Rest> {
    const { log } = this.#deps;
    const rest: Rest = { ids: [], dueTimes: [] };
    await this.write(session, draft, group);
    log.debug({ sessionId: session.id }, 'sends begun');
    for (const planned of group) {
      const chat = chatKey(planned.address);
      if (blocked.has(chat)) {
        draft.forget(planned.row.id);
        rest.ids.push(planned.row.id);
        continue;
      }
      const outcome = await this.#sendOne(session, planned);
      log.debug({ sessionId: session.id, messageId: planned.row.id }, 'send ended');
      const retry = retries.get(planned.row.id);
      const entry = await this.#enter(session, planned, outcome, retry, draft);
      if (entry === 'taken') continue;
      blocked.add(chat);
      draft.forget(planned.row.id);
      rest.ids.push(planned.row.id);
      if (entry.dueAt !== undefined) rest.dueTimes.push(entry.dueAt);
    }
    return rest;
  }

  async #sendOne(
    session: Session,
    { row, channel, address, chat }: PlannedSend,
  ): Promise<SendOutcome | Failure> {
    try {
      const names = chat.operation === 'post' ? chat.files : [];
      const event: OutboundEvent = {
        address,
        messageId: row.id,
        inReplyTo: row.inReplyTo,
        chat,
        targetPlatformId: await this.#findTarget(session, chat, address),
        files: await this.#deps.outboxFiles.take(session.id, row.id, names),
      };
      return await sendBounded(channel, event, this.#deps.sendTimeoutMs);
    } catch (error) {
      // It was not sent: unless its files are at fault, it may go well next time.
      const isRefused = hasCode(error, 'file_refused');
      const reason = toBerthError(error).message;
      return { kind: 'failed', reason, retryable: !isRefused, isPlain: isRefused };
    }
  }

  /** Edits and reactions name a message by our id; the platform wants its own. Of other chats they know nothing. */
  async #findTarget(session: Session, chat: ChatOut, address: Address): Promise<string | null> {
    if (chat.operation === 'post') return null;
    const { store, mailbox } = this.#deps;
    const { messageId } = chat;
    const sent = await mailbox.inbound(session.id, 'findDeliveries', [messageId]);
    const own = sent.get(messageId)?.platformMessageId;
    if (own != null) return own;
    // What somebody else has written can only be reacted to.
    if (chat.operation === 'edit') return null;
    const there = store.messagingGroups.findByPlatform(address.channelType, address.platformId);
    if (there === undefined) return null;
    return store.received.findPlatformId(there.id, messageId) ?? null;
  }

  /** Puts an outcome into the draft, unless the chat takes nothing more for now: then when to try again, if that is known. */
  async #enter(
    session: Session,
    planned: PlannedSend,
    outcome: SendOutcome | Failure,
    retry: DeliveryRetry | undefined,
    draft: DeliveryDraft,
  ): Promise<Entry> {
    const { row, channel } = planned;
    switch (outcome.kind) {
      case 'sent':
        this.#forgetFailures(session, planned, retry);
        draft.add(
          {
            messageOutId: row.id,
            status: 'delivered',
            platformMessageId: outcome.platformMessageId,
          },
          !channel.sendsAreIdempotent,
        );
        return 'taken';
      case 'nobody-listening':
        this.#awaitListener(session, planned, retry);
        return { dueAt: undefined };
      case 'failed':
        return this.#enterFailure(session, planned, outcome, retry, draft);
      case 'unknown': {
        const failure = this.#judgeUnknown(planned, outcome.reason);
        return this.#enterFailure(session, planned, failure, retry, draft);
      }
    }
  }

  #forgetFailures(
    session: Session,
    { row, wasBegun }: PlannedSend,
    retry: DeliveryRetry | undefined,
  ): void {
    const { store } = this.#deps;
    if (retry !== undefined) store.deliveryRetries.clear(session.id, row.id);
    if (retry === undefined && !wasBegun) return;
    // Given up just before a crash, and sent after all.
    store.deadLetters.remove({ sessionId: session.id, direction: 'out', messageId: row.id });
  }

  #awaitListener(
    session: Session,
    { row, address, isRepeat }: PlannedSend,
    retry: DeliveryRetry | undefined,
  ): void {
    const { store, clock } = this.#deps;
    store.awaitedListeners.add(session.id, address.channelType, address.platformId);
    if (!isRepeat || retry?.maybeSent === true) return;
    store.deliveryRetries.set({
      sessionId: session.id,
      messageOutId: row.id,
      attempts: retry?.attempts ?? 0,
      dueAt: isoAt(clock.now()),
      reason: 'nobody listened',
      maybeSent: true,
    });
  }

  /** Where a repeat does no harm, it is a failure like others. */
  #judgeUnknown({ channel, chat }: PlannedSend, why: string): Failure {
    if (!wouldShowTwice(channel, chat)) return { kind: 'failed', reason: why, retryable: true };
    return {
      kind: 'failed',
      reason: `${why}: it may have arrived`,
      retryable: this.#deps.unknownSendsOf(channel.type) === 'repeat',
      maybeSent: true,
    };
  }

  async #enterFailure(
    session: Session,
    { row, chat, isRepeat }: PlannedSend,
    failure: Failure,
    retry: DeliveryRetry | undefined,
    draft: DeliveryDraft,
  ): Promise<Entry> {
    const { store, clock, chance, reports, log } = this.#deps;
    const { reason } = failure;
    const attempts = (retry?.attempts ?? 0) + 1;
    const maybeSent = isRepeat || failure.maybeSent === true;
    const limits = retryLimitsOf(store, session);
    const plan = failure.retryable
      ? planRetry(attempts, limits, chance())
      : { kind: 'give-up' as const };
    if (plan.kind === 'give-up') {
      const tellsChat = chat.operation === 'post' && failure.isChatGone !== true;
      const isPlain = failure.isPlain === true;
      await reports.report(session, [{ row, reason, maybeSent, tellsChat, isPlain }]);
      draft.add(failedRecord(row.id), false);
      return 'taken';
    }
    const waitMs = Math.max(plan.waitMs, heedWish(failure.retryAfterMs ?? 0));
    const dueAt = isoAt(clock.now() + waitMs);
    const fields = { sessionId: session.id, messageId: row.id, attempt: attempts };
    log.warn({ ...fields, waitMs, reason, maybeSent }, 'delivery will be tried again');
    const { id: messageOutId } = row;
    store.deliveryRetries.set({
      sessionId: session.id,
      messageOutId,
      attempts,
      dueAt,
      reason,
      maybeSent,
    });
    return { dueAt };
  }
}

/** Platforms say all sorts of things. */
function heedWish(retryAfterMs: number): number {
  return Number.isNaN(retryAfterMs) ? 0 : Math.min(retryAfterMs, longestWishMs);
}

function failedRecord(messageOutId: string): NewDeliveryRecord {
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
