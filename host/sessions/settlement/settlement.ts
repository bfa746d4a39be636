/**
 * Brings messages_in up to date with what the runner says, and decides what a failure means: one more try, or the end,
 * told to the person who waits. All of its state is in rows, so that a restart changes nothing. Notices come first, by
 * ids that are the same again after a crash; then inbound.db, in one transaction; due work last.
 */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { NewDeliveryRecord } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { Address } from '../../../shared/protocol/session-message.js';
import type { NewEvent } from '../../store/session-events.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { ClockJumps } from '../clock-jumps.js';
import { recordDeadLetter } from '../dead-letter-record.js';
import { failureText } from './failure-text.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import type { Nudges } from '../nudges.js';
import { isPending } from '../mailbox/open-work.js';
import { decideEnd, decideSettlement, type Decision } from '../pass/decide-settlement.js';
import { planDueWork } from '../pass/due-work.js';
import type { SeenWork } from '../pass/facts.js';
import { retryLimitsOf } from './retry-limits.js';
import { TaskSeries, type NextRun } from '../tasks/task-series.js';

/** A message that is final. */
export interface SettledMessage {
  readonly messageId: string;
  readonly address: Address;
  readonly status: 'completed' | 'failed';
}

/** The results of replies, to be noted together with what it settles. */
export interface DeliveryResult {
  readonly records: readonly NewDeliveryRecord[];
  readonly forget: readonly string[];
  /** The time when replies are to be read again, ISO-8601; undefined: not at all. */
  readonly dueAt: string | undefined;
}

/** How a session's container has ended. */
export interface ContainerEnd {
  /** Messages whose try has failed with the container, whatever it said of them. */
  readonly stoppedFor: ReadonlySet<string>;
  /** How it came, as a sentence. */
  readonly why?: string | undefined;
}

export interface SettlementDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly clock: Clock;
  readonly clockJumps: Pick<ClockJumps, 'isReplanning'>;
  /** In [0, 1), for spreading retries. */
  readonly chance: () => number;
  readonly log: Logger;
  /** A message has been answered for good. */
  readonly onSettled: (message: SettledMessage) => void;
  readonly nudges: Pick<Nudges, 'notices'>;
  readonly nextRun: NextRun;
  /** The install's. */
  readonly timeZone: string;
}

/** How the ids of notices about messages that were given up begin. */
export const failureNoticePrefix = 'failed-';

export function failureNoticeId(sessionId: string, messageId: string): string {
  return `${failureNoticePrefix}${sessionId}-${messageId}`;
}

const noDelivery = { records: [], forget: [] } as const;

export class Settlement {
  readonly #deps: SettlementDeps;
  readonly #series: TaskSeries;

  constructor(deps: SettlementDeps) {
    this.#deps = deps;
    this.#series = new TaskSeries(deps);
  }

  /**
   * Notes what became of replies, and copies what the runner has acked. `end`: its container has ended. Throws what the
   * mailbox throws.
   */
  async settle(
    session: Session,
    seen: SeenWork,
    end?: ContainerEnd,
    delivery?: DeliveryResult,
  ): Promise<void> {
    const { store, clock, chance } = this.#deps;
    const decisions = decideSettlement({
      ...seen,
      session,
      stoppedFor: end?.stoppedFor,
      limits: retryLimitsOf(store, session),
      nowMs: clock.now(),
      chance,
      isMisplanned: (row) => this.#series.isMisplanned(session, row),
    });
    const why = end?.why ?? 'The agent stopped in the middle of it.';
    const reasonOf = (id: string): string => {
      const ack = seen.acks.get(id);
      const isItsOwnWord = ack?.status === 'failed' && end?.stoppedFor.has(id) !== true;
      return (isItsOwnWord ? ack.reason : null) ?? why;
    };
    await this.#record(session, seen, { decisions, reasonOf, delivery });
  }

  /**
   * Nothing of a session can be run now: what waits in it is given up, and told. A message that is planned for later
   * stays.
   */
  async giveUp(session: Session, reason: string): Promise<void> {
    const { mailbox, clock } = this.#deps;
    const open = await mailbox.inbound(session.id, 'listOpen');
    const seen = { open, acks: new Map() };
    const decisions = decideEnd(session, seen, clock.now());
    await this.#record(session, seen, { decisions, reasonOf: () => reason, delivery: undefined });
  }

  async #record(
    session: Session,
    { open }: SeenWork,
    {
      decisions,
      reasonOf,
      delivery,
    }: {
      readonly decisions: readonly Decision[];
      /** Why a message failed, as a sentence. */
      readonly reasonOf: (messageId: string) => string;
      readonly delivery: DeliveryResult | undefined;
    },
  ): Promise<void> {
    const { mailbox, clock, log } = this.#deps;
    this.#logFailures(session, decisions, reasonOf);
    const outcomes = decisions.map(({ outcome }) => outcome);
    const following = this.#series.follow(session, open, outcomes);
    await this.#tellEnded(session, decisions, reasonOf);
    if (decisions.length > 0) log.debug({ sessionId: session.id }, 'outcomes decided');
    const openNow = await mailbox.settle(session.id, {
      deliveries: (delivery ?? noDelivery).records,
      forget: (delivery ?? noDelivery).forget,
      outcomes: decisions.map(({ row, outcome }) => ({ seen: row, outcome })),
      following,
      outboundMaxSeq: mailbox.maxOutboundSeq(session.id),
      nowMs: clock.now(),
    });
    if (decisions.length > 0) log.debug({ sessionId: session.id }, 'messages settled');
    // Without a pause: what is posted from now on plans its own wake after this one.
    planDueWork(this.#deps, session, {
      open: openNow,
      hasProgress: outcomes.some(({ status }) => status !== 'reschedule'),
      deliverAt: delivery === undefined ? undefined : (delivery.dueAt ?? null),
      events: listRetries(session, decisions, reasonOf),
    });
    if (decisions.length > 0) log.debug({ sessionId: session.id }, 'next pass planned');
    // A failed message is reported when the person has been told; see the notices.
    const completed = decisions.flatMap(({ row, outcome }) =>
      outcome.status === 'completed' && isPending(row) && row.address !== null
        ? [{ messageId: row.id, address: row.address, status: 'completed' as const }]
        : [],
    );
    if (completed.length > 0) await this.report(completed);
  }

  #logFailures(
    session: Session,
    decisions: readonly Decision[],
    reasonOf: (messageId: string) => string,
  ): void {
    const { log, clock } = this.#deps;
    for (const { row, outcome, failures } of decisions) {
      if (failures === undefined) continue;
      const reason = reasonOf(row.id);
      const fields = { sessionId: session.id, messageId: row.id, attempt: failures, reason };
      if (outcome.status !== 'retry') log.error(fields, 'message given up');
      else {
        const waitMs = Date.parse(outcome.processAfter) - clock.now();
        log.warn({ ...fields, waitMs }, 'message will be tried again');
      }
    }
  }

  /** Told first: a crash before the rows are final tells the same again, and it is known by its id. */
  async #tellEnded(
    session: Session,
    decisions: readonly Decision[],
    reasonOf: (messageId: string) => string,
  ): Promise<void> {
    const ended = decisions.filter(
      ({ outcome: { status } }) => status === 'failed' || status === 'cancelled',
    );
    if (ended.length === 0) return;
    const { store, clock, mailbox } = this.#deps;
    // For context nobody waits: there is nobody to tell.
    const awaited = ended.filter(({ row }) => isPending(row));
    const ids = awaited.map(({ row }) => row.id);
    const texts =
      ids.length === 0
        ? new Map<string, string>()
        : await mailbox.inbound(session.id, 'findTexts', ids);
    for (const { row, outcome } of ended) {
      if (outcome.status !== 'failed') continue;
      const letter = { direction: 'in', messageId: row.id, reason: reasonOf(row.id) } as const;
      recordDeadLetter(store, session, { ...letter, createdAt: isoAt(clock.now()) });
    }
    for (const { row } of awaited) this.#tell(session, row, texts.get(row.id));
  }

  /** A message that went to several sessions is settled when it is settled in all of them. Never rejects. */
  async report(messages: readonly SettledMessage[]): Promise<void> {
    const { store, log } = this.#deps;
    try {
      const sessions = store.received.listSessions(messages.map(({ messageId }) => messageId));
      for (const message of messages) {
        await this.#reportOne(message, sessions.get(message.messageId) ?? []);
      }
    } catch (err) {
      log.warn({ err, count: messages.length }, 'settled messages not reported');
    }
  }

  async #reportOne(message: SettledMessage, sessionIds: readonly string[]): Promise<void> {
    const { store, mailbox, log, onSettled } = this.#deps;
    const { messageId } = message;
    let { status } = message;
    try {
      for (const sessionId of sessionIds.length > 1 ? sessionIds : []) {
        // It was deleted after it had ended.
        if (store.sessions.find(sessionId) === undefined) continue;
        const found = await mailbox.findStatus(sessionId, messageId);
        // Messages that wait in a quarantined session will never be answered.
        const isAbandoned = store.sessions.find(sessionId)?.status === 'set-aside';
        if (found === 'pending' && !isAbandoned) return;
        if (found !== 'completed') status = 'failed';
      }
      onSettled({ ...message, status });
    } catch (err) {
      log.warn({ err, messageId }, 'settled message not reported');
    }
  }

  #tell(session: Session, row: Decision['row'], said: string | undefined): void {
    const { store, clock, nudges } = this.#deps;
    const { id: messageId, address } = row;
    if (address === null) return;
    const text = failureText(row, said, isoAt(clock.now()));
    const id = failureNoticeId(session.id, messageId);
    store.notices.insert({ id, address, inReplyTo: messageId, text }, isoAt(clock.now()));
    nudges.notices();
  }
}

/** The events of what will be tried again. */
function listRetries(
  { id: sessionId, messagingGroupId }: Session,
  decisions: readonly Decision[],
  reasonOf: (messageId: string) => string,
): readonly NewEvent[] {
  return decisions.flatMap(({ row, outcome, failures = 1 }) => {
    if (outcome.status !== 'retry') return [];
    const detail = { why: reasonOf(row.id), attempt: failures, nextAt: outcome.processAfter };
    const of = { sessionId, messagingGroupId, messageId: row.id };
    return [{ name: 'message.retried', ...of, detail }];
  });
}
