/**
 * Brings what containers wrote to the chats, in the order of each session. `sending` is noted before a send where a
 * repeat would show, so that a crash before its outcome is seen afterwards. The trouble of one session touches no
 * other.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import { delay } from '../../shared/base/lifecycle.js';
import type { Logger } from '../../shared/base/logger.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import type { Nudges } from '../sessions/nudges.js';
import { readFacts, type Acks, type PassFacts } from '../sessions/pass/facts.js';
import type { SessionRecovery } from '../sessions/repair/session-recovery.js';
import type { ContainerEnd, Settlement } from '../sessions/settlement/settlement.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { DeliveryBatch } from './delivery-batch.js';
import { DeliveryDraft, type TakenOutcomes } from './delivery-draft.js';
import type { PassStart } from './pass-starts.js';
import { pageSize, type RowDelivery } from './row-delivery.js';

export interface DeliveryLoopDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly settlement: Settlement;
  readonly rows: RowDelivery;
  readonly batch: DeliveryBatch;
  readonly clock: Clock;
  /** When to pass again after a pass that failed, in milliseconds. */
  readonly repeatPassMs: number;
  /** How long what has ended waits to be settled, in milliseconds: what people say to its replies goes first. */
  readonly settlementWaitMs: number;
  readonly log: Logger;
  /** Handles a session whose files cannot be used. */
  readonly recovery: Pick<SessionRecovery, 'assertWhole' | 'noteWell' | 'repair' | 'report'>;
  readonly nudges: Pick<Nudges, 'rest'>;
}

/** Allows one for each file of a session. */
const maxRepairs = 3;

export class DeliveryLoop {
  readonly #deps: DeliveryLoopDeps;
  readonly #passes: SingleFlight;
  readonly #endedContainers = new Map<string, ContainerEnd>();
  /** Outcomes of sends that could not be written: they are, before anything else is sent. */
  readonly #unwritten = new Map<string, TakenOutcomes>();
  /** Passes that could not be planned in the database, as when the disk is full. */
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isStopping = false;

  constructor(deps: DeliveryLoopDeps) {
    this.#deps = deps;
    this.#passes = new SingleFlight((sessionId) => this.#pass(sessionId));
  }

  /** Asks for a pass over a session soon. */
  nudge(sessionId: string): void {
    void this.pass(sessionId);
  }

  /** Resolves when a pass that began after this call has ended, however it went. */
  async pass(sessionId: string): Promise<void> {
    await this.#passes.request(sessionId);
  }

  /**
   * Makes one more pass after a session's container has ended: what it still claims, nobody works on. Throws when that
   * could not be written down: until it is, no other container may claim anything. `why`: how it ended, as a sentence.
   */
  async finish(sessionId: string, stoppedFor: ReadonlySet<string>, why?: string): Promise<void> {
    this.#endedContainers.set(sessionId, { stoppedFor, why });
    await this.#passes.request(sessionId);
    await this.#deps.mailbox.release(sessionId);
    if (!this.#endedContainers.has(sessionId)) return;
    throw new BerthError('io_failed', 'What a container left behind could not be dealt with.', {
      facts: { sessionId },
    });
  }

  /** A row that was final is to be sent after all: passes begin at its seq. */
  reopen(sessionId: string, seq: number): void {
    this.#deps.rows.reopen(sessionId, seq);
    this.nudge(sessionId);
  }

  /** From now on a pass goes through one page of rows at the most, and none begins by itself. */
  beginStop(): void {
    this.#isStopping = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Resolves when no pass is in progress. */
  async stop(): Promise<void> {
    this.beginStop();
    await this.drain();
  }

  /** Resolves when no pass is in progress. */
  async drain(): Promise<void> {
    await this.#passes.idle();
  }

  /** Never rejects: what goes wrong is this session's own. */
  async #pass(sessionId: string): Promise<void> {
    const end = this.#endedContainers.get(sessionId);
    this.#endedContainers.delete(sessionId);
    try {
      await this.#passOver(sessionId, end);
    } catch (err) {
      if (end !== undefined) this.#endedContainers.set(sessionId, end);
      this.#deps.log.warn({ err, sessionId }, 'delivery pass failed');
      this.#passAgainSoon(sessionId);
    }
  }

  async #passOver(sessionId: string, end: ContainerEnd | undefined): Promise<void> {
    const { store, recovery, nudges } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined) return;
    if (session.status === 'set-aside') {
      this.#forget(sessionId);
      return;
    }
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (await this.#goThrough(session, end)) break;
        // The next daemon goes on; what is not sent yet must not be settled.
        if (end !== undefined) this.#endedContainers.set(sessionId, end);
        this.#passAgainSoon(sessionId);
        return;
      } catch (error) {
        if (!recovery.report(sessionId, error)) throw error;
        this.#deps.rows.forget(sessionId);
        // After its container has ended, what was found can be repaired at once.
        if (end === undefined || attempt === maxRepairs) return;
      }
    }
    recovery.noteWell(sessionId);
    nudges.rest();
  }

  /** False where the daemon stops before the end. */
  async #goThrough(session: Session, end: ContainerEnd | undefined): Promise<boolean> {
    const { settlement, mailbox, rows, batch, settlementWaitMs } = this.#deps;
    const ended = end === undefined ? undefined : await this.#repair(session, end);
    const draft = new DeliveryDraft();
    await this.#writeLeftOver(session, draft);
    const { start, facts } = await this.#readFacts(session, ended !== undefined);
    this.#deps.log.debug({ sessionId: session.id }, 'facts read');
    try {
      const isStopping = (): boolean => this.#isStopping;
      const delivered = await rows.deliver(session, { start, page: facts.page, draft }, isStopping);
      if (!delivered.isComplete) {
        await batch.write(session, draft);
        return false;
      }
      if (hasEnded(facts.acks) && !draft.isUrgent) await delay(settlementWaitMs);
      const open = draft.open ?? facts.open ?? (await mailbox.inbound(session.id, 'listOpen'));
      const taken = draft.take();
      try {
        const seen = { open, acks: facts.acks };
        await settlement.settle(session, seen, ended, { ...taken, dueAt: delivered.dueAt });
      } catch (error) {
        draft.putBack(taken);
        throw error;
      }
      // The message came while the file was read: whether it is answered already is not known.
      const isUnasked = open.some(({ id }) => !facts.asked.has(id));
      if (isUnasked && !this.#isStopping) this.nudge(session.id);
    } catch (error) {
      // A message that was sent is known to be sent, whatever else went wrong.
      await batch.write(session, draft).catch(() => {
        this.#unwritten.set(session.id, draft.take());
      });
      throw error;
    }
    return true;
  }

  async #writeLeftOver(session: Session, draft: DeliveryDraft): Promise<void> {
    const unwritten = this.#unwritten.get(session.id);
    if (unwritten === undefined) return;
    draft.putBack(unwritten);
    await this.#deps.batch.write(session, draft);
    this.#unwritten.delete(session.id);
    // Acks that are read from now on are newer than these rows.
    draft.open = undefined;
  }

  /** After its container has ended: what is damaged is repaired, and may have cost more messages their try. */
  async #repair(session: Session, end: ContainerEnd): Promise<ContainerEnd> {
    const { recovery, rows } = this.#deps;
    const unanswered = await recovery.repair(session.id);
    if (unanswered === undefined) return end;
    rows.forget(session.id);
    return { ...end, stoppedFor: new Set([...end.stoppedFor, ...unanswered]) };
  }

  /** If rows were taken out of the file, its numbers begin anew below the last one seen: all of it is read again. */
  async #readFacts(
    session: Session,
    asksForAll: boolean,
  ): Promise<{ start: PassStart; facts: PassFacts }> {
    const { mailbox, recovery, rows } = this.#deps;
    for (let isFirst = true; ; isFirst = false) {
      const start = await rows.begin(session);
      const request = { after: start.waitsThrough, limit: pageSize, asksForAll };
      const facts = await readFacts(mailbox, session.id, request);
      if (facts.page === undefined) await recovery.assertWhole(session.id);
      const isBehind = (facts.page?.maxSeq ?? 0) < start.waitsThrough;
      if (!isBehind || !isFirst) return { start, facts };
      rows.forget(session.id);
    }
  }

  #passAgainSoon(sessionId: string): void {
    const { store, clock, repeatPassMs, log } = this.#deps;
    const dueAt = isoAt(clock.now() + repeatPassMs);
    try {
      store.dueItems.set({ sessionId, kind: 'deliver', dueAt, attempts: 0 });
    } catch (err) {
      log.error({ err, sessionId }, 'delivery not planned');
      this.#remember(sessionId);
    }
  }

  /** A pass that cannot be written down is kept in memory: a disk that has room again tells nobody. */
  #remember(sessionId: string): void {
    if (this.#isStopping || this.#timers.has(sessionId)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(sessionId);
      this.nudge(sessionId);
    }, this.#deps.repeatPassMs);
    this.#timers.set(sessionId, timer);
  }

  /** Nothing can be done for this session any more. */
  #forget(sessionId: string): void {
    const { store } = this.#deps;
    store.dueItems.clear(sessionId, 'wake');
    store.dueItems.clear(sessionId, 'deliver');
    this.#deps.rows.forget(sessionId);
    this.#unwritten.delete(sessionId);
  }
}

/** Tells whether one of the messages is answered, or has failed. */
function hasEnded(acks: Acks): boolean {
  return [...acks.values()].some(({ status }) => status !== 'processing');
}
