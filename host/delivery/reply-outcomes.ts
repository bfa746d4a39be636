/** Writes down what the send policy has decided about a reply: into the draft, and into the tables of central.db. */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import type { SendOutcome } from '../channels/channel.js';
import { retryLimitsOf } from '../sessions/settlement/retry-limits.js';
import type { DeliveryRetry } from '../store/messages/delivery-retries.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { DeliveryDraft } from './delivery-draft.js';
import type { FailureReports } from './failure-reports.js';
import type { PlannedSend } from './planned-send.js';
import {
  judgeOutcome,
  wouldShowTwice,
  type SendVerdict,
  type UnknownSends,
} from './send/outcome-policy.js';

export interface ReplyOutcomesDeps {
  readonly store: Store;
  readonly reports: FailureReports;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly unknownSendsOf: (channelType: string) => UnknownSends;
  readonly log: Logger;
}

/** The result of an attempt. */
export interface AttemptedSend {
  readonly outcome: SendOutcome;
  /** The reason is plain enough for the person who waits. */
  readonly isPlain: boolean;
}

/** An attempt, and what was known of its message before. */
export interface EndedSend extends AttemptedSend {
  readonly planned: PlannedSend;
  /** Of earlier attempts. */
  readonly retry: DeliveryRetry | undefined;
}

/** `taken`: its outcome is final. Otherwise it waits, and its chat with it; `dueAt`: ISO-8601. */
export type Entry = 'taken' | { readonly dueAt: string | undefined };

export class ReplyOutcomes {
  readonly #deps: ReplyOutcomesDeps;

  constructor(deps: ReplyOutcomesDeps) {
    this.#deps = deps;
  }

  /** Puts an outcome into the draft, unless the chat takes nothing more for now: then tells when to try again, if that is known. */
  async enter(session: Session, ended: EndedSend, draft: DeliveryDraft): Promise<Entry> {
    const { store, clock } = this.#deps;
    const { row, channel } = ended.planned;
    const verdict = this.#judge(session, ended);
    switch (verdict.kind) {
      case 'delivered': {
        const { platformMessageId } = verdict;
        this.#forgetFailures(session, ended);
        const { question } = ended.planned;
        if (question !== undefined) store.questions.noteSaid(question.id, isoAt(clock.now()));
        draft.add(
          { messageOutId: row.id, status: 'delivered', platformMessageId },
          !channel.sendsAreIdempotent,
        );
        return 'taken';
      }
      case 'await-listener':
        this.#awaitListener(session, ended, verdict);
        return { dueAt: undefined };
      case 'retry':
        return { dueAt: this.#planRetry(session, row.id, verdict) };
      case 'give-up':
        await this.#giveUp(session, ended, verdict);
        draft.add({ messageOutId: row.id, status: 'failed', platformMessageId: null }, false);
        return 'taken';
    }
  }

  #judge(session: Session, { planned, outcome, retry }: EndedSend): SendVerdict {
    const { store, chance, unknownSendsOf } = this.#deps;
    const { channel, chat, isRepeat } = planned;
    return judgeOutcome({
      outcome,
      failures: retry?.attempts ?? 0,
      limits: () => retryLimitsOf(store, session),
      isRepeat,
      showsTwice: wouldShowTwice(channel, chat.operation),
      unknownSends: unknownSendsOf(channel.id),
      chance,
    });
  }

  #forgetFailures(session: Session, { planned: { row, wasBegun }, retry }: EndedSend): void {
    const { store } = this.#deps;
    if (retry !== undefined) store.deliveryRetries.clear(session.id, row.id);
    if (retry === undefined && !wasBegun) return;
    // Given up just before a crash, and sent after all.
    store.deadLetters.remove({ sessionId: session.id, direction: 'out', messageId: row.id });
  }

  #awaitListener(
    session: Session,
    { planned: { row, address }, retry }: EndedSend,
    { maybeSent }: Extract<SendVerdict, { kind: 'await-listener' }>,
  ): void {
    const { store, clock } = this.#deps;
    store.awaitedListeners.add(session.id, address.channelType, address.platformId);
    if (!maybeSent || retry?.maybeSent === true) return;
    store.deliveryRetries.set({
      sessionId: session.id,
      messageOutId: row.id,
      attempts: retry?.attempts ?? 0,
      dueAt: isoAt(clock.now()),
      reason: 'nobody listened',
      maybeSent,
    });
  }

  /** When it is tried again, ISO-8601. */
  #planRetry(
    session: Session,
    messageOutId: string,
    { failures, waitMs, maybeSent, reason }: Extract<SendVerdict, { kind: 'retry' }>,
  ): string {
    const { store, clock, log } = this.#deps;
    const sessionId = session.id;
    const dueAt = isoAt(clock.now() + waitMs);
    const fields = { sessionId, messageId: messageOutId, attempt: failures };
    log.warn({ ...fields, waitMs, reason, maybeSent }, 'delivery will be tried again');
    const retry = { sessionId, messageOutId, attempts: failures, dueAt, reason, maybeSent };
    store.transaction(() => {
      store.deliveryRetries.set(retry);
      const of = { sessionId, messagingGroupId: session.messagingGroupId, messageId: messageOutId };
      const detail = { why: reason, attempt: failures, nextAt: dueAt };
      store.events.add({ name: 'reply.retried', ...of, detail }, isoAt(clock.now()));
    });
    return dueAt;
  }

  async #giveUp(
    session: Session,
    { planned: { row, chat }, outcome, isPlain }: EndedSend,
    { reason, maybeSent }: Extract<SendVerdict, { kind: 'give-up' }>,
  ): Promise<void> {
    const isChatGone = outcome.kind === 'failed' && outcome.isChatGone === true;
    const tellsChat = chat.operation === 'post' && !isChatGone;
    await this.#deps.reports.report(session, [{ row, reason, maybeSent, tellsChat, isPlain }]);
  }
}
