/**
 * Brings messages_in up to date with what the runner says, and decides what a failure means: one more try, or
 * the end, told to the person who waits. All of its state is in rows, so that a restart changes nothing.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import type {
  InboundOutcome,
  InboundWriter,
  OpenInbound,
} from '../../shared/protocol/inbound-writer.js';
import type { AckRecord } from '../../shared/protocol/outbound-reader.js';
import type { Address } from '../../shared/protocol/session-message.js';
import { parseContainerConfig } from '../store/container-config.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { Mailbox } from './mailbox.js';
import { planRetry, type RetryLimits } from './retry-policy.js';

/** A message that is final. */
export interface SettledMessage {
  readonly messageId: string;
  readonly address: Address;
  readonly status: 'completed' | 'failed';
}

/** By message id. */
export type Acks = ReadonlyMap<string, AckRecord>;

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
}

/** How the ids of notices about messages that were given up begin. */
export const failureNoticePrefix = 'failed-';

export class Settlement {
  readonly #deps: SettlementDeps;

  constructor(deps: SettlementDeps) {
    this.#deps = deps;
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
   * Copies what the runner has acked. `containerEnded`: what is claimed has nobody working on it, so the claim
   * counts as a failed try; in a session that is closed, all that is open is given up then.
   */
  async settle(session: Session, acks: Acks, containerEnded: boolean): Promise<void> {
    const isOver = containerEnded && session.status !== 'active';
    const decide = (open: readonly OpenInbound[]): readonly InboundOutcome[] =>
      isOver ? endAll(open, acks) : this.#decide(session, open, acks, containerEnded);
    await this.#settleBy(session, decide, acks);
  }

  /** Nothing of a session can be run: what waits in it is given up, and told. */
  async giveUp(session: Session, reason: string): Promise<void> {
    await this.#settleBy(session, (open) => endAll(open, new Map()), new Map(), reason);
  }

  /** In one piece without a pause, so that no message can come in between the look and the plan for the next. */
  async #settleBy(
    session: Session,
    decide: (open: readonly OpenInbound[]) => readonly InboundOutcome[],
    acks: Acks,
    reason = 'The agent stopped in the middle of it.',
  ): Promise<void> {
    const completed = await this.#deps.mailbox.inbound(session.id, (inbound) => {
      const open = inbound.listOpen();
      const decided = decide(open);
      // For context nobody waits: there is nobody to tell.
      const awaited = new Set(open.filter(isPending).map(({ id }) => id));
      for (const { id, status } of decided) {
        if (status !== 'failed') continue;
        // Told first: a crash before the row is final tells the same again, and it is known by its id.
        this.#bury(session, id, acks.get(id)?.reason ?? reason);
        if (awaited.has(id)) this.#tell(session, id, inbound);
      }
      inbound.settle(decided);
      this.#planWake(session.id, open.filter(isPending), decided);
      // A failed message is reported when the person has been told; see the notices.
      return decided.flatMap(({ id, status }) =>
        status === 'completed' && awaited.has(id) ? [id] : [],
      );
    });
    if (completed.length === 0) return;
    const addresses = await this.#deps.mailbox.inbound(session.id, (inbound) =>
      inbound.findAddresses(completed),
    );
    for (const [messageId, address] of addresses) {
      await this.report({ messageId, address, status: 'completed' });
    }
  }

  #decide(
    session: Session,
    open: readonly OpenInbound[],
    acks: Acks,
    containerEnded: boolean,
  ): readonly InboundOutcome[] {
    const limits = this.#limitsOf(session);
    const outcomes: InboundOutcome[] = [];
    for (const row of open) {
      const verdict = readAck(row, acks.get(row.id), containerEnded);
      if (verdict === 'completed') outcomes.push({ id: row.id, status: 'completed' });
      if (verdict === 'failed') outcomes.push(this.#decideFailure(session, row, limits));
    }
    return outcomes;
  }

  #decideFailure(session: Session, row: OpenInbound, limits: RetryLimits): InboundOutcome {
    const { clock, chance, log } = this.#deps;
    const failures = row.tries + 1;
    const plan = planRetry(failures, limits, chance());
    const fields = { sessionId: session.id, messageId: row.id, attempt: failures };
    if (plan.kind === 'give-up') {
      log.error(fields, 'message given up');
      return { id: row.id, status: 'failed' };
    }
    log.warn({ ...fields, waitMs: plan.waitMs }, 'message will be tried again');
    return { id: row.id, status: 'retry', processAfter: isoAt(clock.now() + plan.waitMs) };
  }

  #limitsOf(session: Session): RetryLimits {
    const group = this.#deps.store.agentGroups.find(session.agentGroupId);
    try {
      const config = parseContainerConfig(group?.containerConfig ?? null);
      return { tries: config.tries, baseMs: config.retryBaseMs };
    } catch {
      // A config edited by hand stops the container from starting, and says so there.
      const defaults = parseContainerConfig(null);
      return { tries: defaults.tries, baseMs: defaults.retryBaseMs };
    }
  }

  /** The session is due when its earliest pending message is; with none left it is not due at all. */
  #planWake(
    sessionId: string,
    pending: readonly OpenInbound[],
    outcomes: readonly InboundOutcome[],
  ): void {
    const { store, clock } = this.#deps;
    const byId = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
    const now = isoAt(clock.now());
    const dueTimes = pending.flatMap((row) => {
      const outcome = byId.get(row.id);
      if (outcome?.status === 'retry') return [outcome.processAfter];
      return outcome === undefined ? [row.processAfter ?? now] : [];
    });
    const earliest = dueTimes.sort()[0];
    if (earliest === undefined) {
      store.dueItems.clear(sessionId, 'wake');
      return;
    }
    const known = store.dueItems.find(sessionId, 'wake');
    const hasProgress = outcomes.some(({ status }) => status === 'completed');
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

  #tell(session: Session, messageId: string, inbound: InboundWriter): void {
    const { store, clock, onNotice } = this.#deps;
    const address = inbound.findAddresses([messageId]).get(messageId);
    if (address === undefined) return;
    const text =
      'Sorry, this message could not be handled. Please send it again, or ask whoever runs this agent to look into it.';
    const id = `${failureNoticePrefix}${session.id}-${messageId}`;
    store.notices.insert({ id, address, inReplyTo: messageId, text }, isoAt(clock.now()));
    onNotice();
  }
}

function isPending({ status }: OpenInbound): boolean {
  return status === 'pending';
}

/** Nobody will work on these any more: what is not completed has failed. Context that waited is just that. */
function endAll(open: readonly OpenInbound[], acks: Acks): readonly InboundOutcome[] {
  return open.map(({ id, status }) => {
    const isDone = status === 'context' || acks.get(id)?.status === 'completed';
    return { id, status: isDone ? 'completed' : 'failed' };
  });
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
