/**
 * Brings messages_in up to date with what the runner says, and decides what a failure means: one more try, or
 * the end, told to the person who waits. All of its state is in rows, so that a restart changes nothing.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import type {
  FollowingRow,
  InboundOutcome,
  InboundWriter,
  OpenInbound,
} from '../../shared/protocol/inbound-writer.js';
import type { AckRecord } from '../../shared/protocol/outbound-reader.js';
import type { Address } from '../../shared/protocol/session-message.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { failureText } from './failure-text.js';
import type { Mailbox } from './mailbox.js';
import { isPending } from './open-work.js';
import { retryLimitsOf } from './retry-limits.js';
import { backoffMs, failuresInRound, planRetry, type RetryLimits } from './retry-policy.js';
import { isPlanned, TaskSeries, type NextRun } from './task-series.js';

/** A message that is final. */
export interface SettledMessage {
  readonly messageId: string;
  readonly address: Address;
  readonly status: 'completed' | 'failed';
}

/** By message id. */
export type Acks = ReadonlyMap<string, AckRecord>;

/** What is said of the messages that are open. */
interface Verdicts {
  readonly acks: Acks;
  /** Where the container has ended: see settle. */
  readonly condemned: ReadonlySet<string> | undefined;
  /** Why a message failed, as a sentence. */
  readonly reasonOf: (messageId: string) => string;
}

export interface SettlementDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly clock: Clock;
  /** In [0, 1), for spreading retries. */
  readonly chance: () => number;
  readonly log: Logger;
  /** A message has been answered for good. */
  readonly onSettled: (message: SettledMessage) => void;
  /** Something has to be said in a chat. */
  readonly onNotice: () => void;
  readonly nextRun: NextRun;
  /** The install's. */
  readonly timeZone: string;
}

/** How the ids of notices about messages that were given up begin. */
export const failureNoticePrefix = 'failed-';

export function failureNoticeId(sessionId: string, messageId: string): string {
  return `${failureNoticePrefix}${sessionId}-${messageId}`;
}

export class Settlement {
  readonly #deps: SettlementDeps;
  readonly #series: TaskSeries;

  constructor(deps: SettlementDeps) {
    this.#deps = deps;
    this.#series = new TaskSeries(deps);
  }

  /**
   * What the runner says of the messages that are open now. Read before the replies are delivered: what it acks
   * meanwhile waits for the next look, so that no message is settled before its replies are sent.
   */
  async readAcks(session: Session): Promise<Acks> {
    const { mailbox } = this.#deps;
    const open = await mailbox.inbound(session.id, (inbound) => inbound.listOpen());
    if (open.length === 0) return new Map();
    const ids = open.map((row) => row.id);
    return await mailbox.outbound(session.id, (outbound) => outbound.findAcks(ids));
  }

  /**
   * Copies what the runner has acked. `condemned` is given when the container has ended: what is claimed then, or
   * condemned because the container was stopped for it, counts as a failed try; in a session that is closed, all that is
   * open is given up. `why`: how it ended, as a sentence.
   */
  async settle(
    session: Session,
    acks: Acks,
    condemned: ReadonlySet<string> | undefined,
    why = 'The agent stopped in the middle of it.',
  ): Promise<void> {
    const isOver = condemned !== undefined && session.status !== 'active';
    const reasonOf = (id: string): string => {
      const ack = acks.get(id);
      const isItsOwnWord = ack?.status === 'failed' && condemned?.has(id) !== true;
      return (isItsOwnWord ? ack.reason : null) ?? why;
    };
    const decide = (open: readonly OpenInbound[]): readonly InboundOutcome[] =>
      isOver
        ? this.#endAll(session, open, acks)
        : this.#decide(session, open, { acks, condemned, reasonOf });
    await this.#settleBy(session, decide, reasonOf);
  }

  /** The clock was set back: see TaskSeries. */
  noteSetBack(): void {
    this.#series.noteSetBack();
  }

  /** Nothing of a session can be run now: what waits in it is given up, and told. What is planned for later stays. */
  async giveUp(session: Session, reason: string): Promise<void> {
    await this.#settleBy(
      session,
      (open) => this.#endAll(session, open, new Map()),
      () => reason,
    );
  }

  /** In one piece without a pause, so that no message can come in between the look and the plan for the next. */
  async #settleBy(
    session: Session,
    decide: (open: readonly OpenInbound[]) => readonly InboundOutcome[],
    reasonOf: (messageId: string) => string,
  ): Promise<void> {
    const completed = await this.#deps.mailbox.inbound(session.id, (inbound, outboundMaxSeq) => {
      const open = inbound.listOpen();
      const decided = decide(open);
      const following = this.#series.follow(session, open, decided);
      // For context nobody waits: there is nobody to tell.
      const awaited = new Map(open.filter(isPending).map((row) => [row.id, row]));
      for (const { id, status } of decided) {
        if (status !== 'failed' && status !== 'cancelled') continue;
        // Told first: a crash before the row is final tells the same again, and it is known by its id.
        if (status === 'failed') this.#bury(session, id, reasonOf(id));
        const row = awaited.get(id);
        if (row !== undefined) this.#tell(session, row, inbound);
      }
      // A failed message is reported when the person has been told; see the notices.
      const completed = inbound.findAddresses(
        decided.flatMap(({ id, status }) =>
          status === 'completed' && awaited.has(id) ? [id] : [],
        ),
      );
      inbound.settle(decided, following, following.length === 0 ? 0 : outboundMaxSeq());
      if (decided.length > 0) {
        this.#deps.log.debug({ sessionId: session.id }, 'messages settled');
        this.#deps.store.sessions.touch(session.id, isoAt(this.#deps.clock.now()));
      }
      // A blank session has no messages: its wake only puts off a start that has failed.
      if (session.status !== 'warm') {
        this.#planWake(session.id, open.filter(isPending), decided, following);
      }
      return completed;
    });
    for (const [messageId, address] of completed) {
      await this.report({ messageId, address, status: 'completed' });
    }
  }

  #decide(
    session: Session,
    open: readonly OpenInbound[],
    { acks, condemned, reasonOf }: Verdicts,
  ): readonly InboundOutcome[] {
    const limits = retryLimitsOf(this.#deps.store, session);
    const now = this.#deps.clock.now();
    const outcomes: InboundOutcome[] = [];
    for (const row of open) {
      const isCondemned = condemned?.has(row.id) === true;
      const verdict = isCondemned
        ? readCondemned(acks.get(row.id))
        : readAck(row, acks.get(row.id), condemned !== undefined);
      if (verdict === 'completed') outcomes.push({ id: row.id, status: 'completed' });
      if (verdict === 'failed')
        outcomes.push(this.#decideFailure(session, row, limits, reasonOf(row.id)));
      if (verdict === 'open' && this.#series.isMisplanned(session, row)) {
        outcomes.push({ id: row.id, status: 'moved' });
      } else if (verdict === 'open' && waitsTooLong(row, limits, now)) {
        outcomes.push({ id: row.id, status: 'hasten', processAfter: isoAt(now) });
      }
    }
    return outcomes;
  }

  /**
   * Nobody will work on these any more: what is not completed has failed. Context is not read any more. What is
   * planned for later ends with its session only.
   */
  #endAll(session: Session, open: readonly OpenInbound[], acks: Acks): readonly InboundOutcome[] {
    const now = isoAt(this.#deps.clock.now());
    const outcomes: InboundOutcome[] = [];
    for (const row of open) {
      const { id, status } = row;
      if (acks.get(id)?.status === 'completed') outcomes.push({ id, status: 'completed' });
      else if (status === 'context') outcomes.push({ id, status: 'cancelled' });
      else if (!isPlanned(row, now)) outcomes.push({ id, status: 'failed' });
      else if (session.status !== 'active') outcomes.push({ id, status: 'cancelled' });
    }
    return outcomes;
  }

  #decideFailure(
    session: Session,
    row: OpenInbound,
    limits: RetryLimits,
    reason: string,
  ): InboundOutcome {
    const { clock, chance, log } = this.#deps;
    const failures = failuresInRound(row.tries, limits) + 1;
    const plan = planRetry(failures, limits, chance());
    const fields = { sessionId: session.id, messageId: row.id, attempt: failures, reason };
    if (plan.kind === 'give-up') {
      log.error(fields, 'message given up');
      return { id: row.id, status: 'failed' };
    }
    log.warn({ ...fields, waitMs: plan.waitMs }, 'message will be tried again');
    return { id: row.id, status: 'retry', processAfter: isoAt(clock.now() + plan.waitMs) };
  }

  /** The session is due when its earliest pending message is; with none left it is not due at all. */
  #planWake(
    sessionId: string,
    pending: readonly OpenInbound[],
    outcomes: readonly InboundOutcome[],
    following: readonly FollowingRow[],
  ): void {
    const { store, clock } = this.#deps;
    const byId = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
    const now = isoAt(clock.now());
    const dueTimes = pending.flatMap((row) => {
      const outcome = byId.get(row.id);
      if (outcome !== undefined && 'processAfter' in outcome) return [outcome.processAfter];
      return outcome === undefined ? [row.processAfter ?? now] : [];
    });
    dueTimes.push(...following.map(({ scheduledAt }) => scheduledAt));
    const earliest = dueTimes.sort()[0];
    if (earliest === undefined) {
      store.dueItems.clear(sessionId, 'wake');
      return;
    }
    const known = store.dueItems.find(sessionId, 'wake');
    // Also a try that failed: then how often that may be tried is the limit, and not how often it may be started.
    const hasProgress = outcomes.some(({ status }) => status !== 'hasten');
    const attempts = hasProgress ? 0 : (known?.attempts ?? 0);
    // While a start is being put off, its own time holds.
    if (known !== undefined && attempts > 0 && known.dueAt > earliest) return;
    store.dueItems.set({ sessionId, kind: 'wake', dueAt: earliest, attempts });
  }

  /** A message that went to several sessions is settled when it is settled in all of them. Never rejects. */
  async report(message: SettledMessage): Promise<void> {
    const { store, mailbox, log, onSettled } = this.#deps;
    const { messageId } = message;
    let { status } = message;
    try {
      const sessionIds = store.received.listSessions(messageId);
      for (const sessionId of sessionIds.length > 1 ? sessionIds : []) {
        const found = await mailbox.findStatus(sessionId, messageId);
        // What waits in a session that was set aside will never be answered.
        const isForsaken = store.sessions.find(sessionId)?.status === 'set-aside';
        if (found === 'pending' && !isForsaken) return;
        if (found !== 'completed') status = 'failed';
      }
      onSettled({ ...message, status });
    } catch (err) {
      log.warn({ err, messageId }, 'settled message not reported');
    }
  }

  #bury(session: Session, messageId: string, reason: string): void {
    const { store, clock } = this.#deps;
    store.deadLetters.insert({
      sessionId: session.id,
      direction: 'in',
      messageId,
      reason,
      createdAt: isoAt(clock.now()),
    });
  }

  #tell(session: Session, row: OpenInbound, inbound: InboundWriter): void {
    const { store, clock, onNotice } = this.#deps;
    const messageId = row.id;
    const address = inbound.findAddresses([messageId]).get(messageId);
    if (address === undefined) return;
    const text = failureText(row, inbound.findText(messageId), isoAt(clock.now()));
    const id = failureNoticeId(session.id, messageId);
    store.notices.insert({ id, address, inReplyTo: messageId, text }, isoAt(clock.now()));
    onNotice();
  }
}

/** Its container was stopped because of it: only what it has completed before counts. */
function readCondemned(ack: AckRecord | undefined): 'completed' | 'failed' {
  return ack?.status === 'completed' ? 'completed' : 'failed';
}

/** An ack of fewer tries than the row has belongs to an earlier try, which has been dealt with. */
function readAck(
  row: OpenInbound,
  ack: AckRecord | undefined,
  containerEnded: boolean,
): 'completed' | 'failed' | 'open' {
  if (ack === undefined) return 'open';
  if (ack.status === 'completed') return 'completed';
  if (ack.tries < row.tries) return 'open';
  if (ack.status === 'failed') return 'failed';
  return containerEnded ? 'failed' : 'open';
}

/** No retry waits as long as this one: the clock was set back after it was planned. */
function waitsTooLong(row: OpenInbound, limits: RetryLimits, nowMs: number): boolean {
  if (row.tries === 0 || row.processAfter === null) return false;
  const longestMs = backoffMs(failuresInRound(row.tries, limits), limits.baseMs, 1);
  return row.processAfter > isoAt(nowMs + longestMs);
}
