import { hasCode, toBerthError } from '../../shared/base/errors.js';
import type { Address, ChatOut } from '../../shared/protocol/session-message.js';
import type { OutboundEvent } from '../channels/channel.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import type { DeliveryRetry } from '../store/messages/delivery-retries.js';
import type { Session } from '../store/sessions.js';
import { chatKey } from './delivery-policy.js';
import type { DeliveryDraft } from './delivery-draft.js';
import type { OutboxFiles } from './files/outbox-files.js';
import type { PlannedSend } from './planned-send.js';
import { ReplyOutcomes, type AttemptedSend, type ReplyOutcomesDeps } from './reply-outcomes.js';
import { sendBounded } from './send/attempt.js';
import type { Undelivered } from './undelivered.js';

export interface DeliveryBatchDeps extends ReplyOutcomesDeps {
  readonly mailbox: Mailbox;
  readonly outboxFiles: OutboxFiles;
  readonly sendTimeoutMs: number;
}

/** The messages that were not sent, and when to try again where that is known. */
export interface Unsent {
  readonly ids: ReadonlySet<string>;
  readonly dueTimes: readonly string[];
}

/** The facts that are known of a session's sends before they begin. */
export interface SendState {
  /** Chats that take nothing for now; see chatKey. Grows while sending. */
  readonly blocked: Set<string>;
  /** By message id. */
  readonly retries: ReadonlyMap<string, DeliveryRetry>;
  /** Takes the outcomes. */
  readonly draft: DeliveryDraft;
}

/** How many sends may go before their outcomes are written, where sending twice does no harm. */
const batchSize = 25;

/** The rest of some sends, which was not sent, and when to try again where that is known. */
interface Rest {
  readonly ids: string[];
  readonly dueTimes: string[];
}

export class DeliveryBatch {
  readonly #deps: DeliveryBatchDeps;
  readonly #outcomes: ReplyOutcomes;

  constructor(deps: DeliveryBatchDeps) {
    this.#deps = deps;
    this.#outcomes = new ReplyOutcomes(deps);
  }

  /**
   * Sends in order. A chat that could not take something is added to `blocked`, and the rest for it waits. Outcomes are
   * in the draft afterwards, also where it throws.
   */
  async send(session: Session, sends: readonly PlannedSend[], state: SendState): Promise<Unsent> {
    const ids = new Set<string>();
    const dueTimes: string[] = [];
    for (const group of groupSends(sends)) {
      // A send that its chat cannot take now is not begun: begun and cut short, it would count as maybe sent.
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
    for (const { row } of refusals) {
      draft.add({ messageOutId: row.id, status: 'failed', platformMessageId: null }, false);
    }
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
      const { forget } = taken;
      const wantsOpen = draft.open === undefined;
      const args = [records, forget, clock.now(), wantsOpen] as const;
      const open = await mailbox.inbound(session.id, 'recordDeliveries', ...args);
      if (wantsOpen) draft.open = open;
    } catch (error) {
      draft.putBack(taken);
      throw error;
    }
  }

  /** All refusals of a pass have been made. */
  endRefusals(session: Session): void {
    this.#deps.reports.logBursts(session);
  }

  async #sendGroup(
    session: Session,
    group: readonly PlannedSend[],
    { blocked, retries, draft }: SendState,
  ): Promise<Rest> {
    const { log } = this.#deps;
    const rest: Rest = { ids: [], dueTimes: [] };
    await this.write(session, draft, group.filter(needsNote));
    log.debug({ sessionId: session.id }, 'sends begun');
    for (const planned of group) {
      const chat = chatKey(planned.address);
      if (blocked.has(chat)) {
        draft.forget(planned.row.id);
        rest.ids.push(planned.row.id);
        continue;
      }
      const attempted = await this.#sendOne(session, planned);
      log.debug({ sessionId: session.id, messageId: planned.row.id }, 'send ended');
      const retry = retries.get(planned.row.id);
      const entry = await this.#outcomes.enter(session, { planned, retry, ...attempted }, draft);
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
    { row, channel, address, chat, question }: PlannedSend,
  ): Promise<AttemptedSend> {
    try {
      const names = chat.operation === 'post' ? chat.files : [];
      const event: OutboundEvent = {
        address,
        messageId: row.id,
        inReplyTo: row.inReplyTo,
        chat,
        targetPlatformId: await this.#findTarget(session, chat, address),
        files: await this.#deps.outboxFiles.take(session.id, row.id, names),
        ...(question === undefined ? {} : { question }),
      };
      const outcome = await sendBounded(channel, event, this.#deps.sendTimeoutMs);
      return { outcome, isPlain: false };
    } catch (error) {
      // The message was not sent: unless its files are at fault, it may go well next time.
      const isRefused = hasCode(error, 'file_refused');
      const reason = toBerthError(error).message;
      const outcome = { kind: 'failed', reason, retryable: !isRefused } as const;
      return { outcome, isPlain: isRefused };
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
    // A message that somebody else has written can only be reacted to.
    if (chat.operation === 'edit') return null;
    const there = store.messagingGroups.findByPlatform(address.channelType, address.platformId);
    if (there === undefined) return null;
    return store.received.findPlatformId(there.id, messageId) ?? null;
  }
}

/** A platform that knows a repeat by its id takes it again in any case: whether a send was begun decides nothing there. */
function needsNote({ channel }: PlannedSend): boolean {
  return !channel.sendsAreIdempotent;
}

/** Runs of sends whose outcomes may be written together: one by one where a repeat would show. */
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
