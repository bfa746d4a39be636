/**
 * Brings what containers wrote to the chats, in the order of each session. `sending` is noted before a send and the
 * outcome after it, so that a crash in between is seen afterwards. One session's trouble stays its own.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import { delay } from '../../shared/base/lifecycle.js';
import type { Logger } from '../../shared/base/logger.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { SessionRecovery } from '../sessions/repair/session-recovery.js';
import type { Acks, Settlement } from '../sessions/settlement.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { RowDelivery } from './row-delivery.js';

export interface DeliveryLoopDeps {
  readonly store: Store;
  readonly settlement: Settlement;
  readonly rows: RowDelivery;
  readonly clock: Clock;
  /** When to look again after a look that failed, in milliseconds. */
  readonly lookAgainMs: number;
  /** How long what has ended waits to be settled, in milliseconds: what people say to its replies goes first. */
  readonly booksWaitMs: number;
  readonly log: Logger;
  /** What becomes of a session whose files cannot be used. */
  readonly recovery: Pick<SessionRecovery, 'assertWhole' | 'repair' | 'report'>;
  /** When to look again has been planned. */
  readonly onPlanned: () => void;
}

interface ContainerEnd {
  /** Messages whose try has failed with the container, whatever it said of them. */
  readonly condemned: ReadonlySet<string>;
  /** How it came, as a sentence. */
  readonly why: string | undefined;
}

/** One for each file of a session. */
const maxMends = 3;

export class DeliveryLoop {
  readonly #deps: DeliveryLoopDeps;
  readonly #looks: SingleFlight;
  readonly #endedContainers = new Map<string, ContainerEnd>();
  /** Looks that could not be planned in the database, as when the disk is full. */
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isStopping = false;

  constructor(deps: DeliveryLoopDeps) {
    this.#deps = deps;
    this.#looks = new SingleFlight((sessionId) => this.#look(sessionId));
  }

  /** Look at a session soon. */
  nudge(sessionId: string): void {
    void this.look(sessionId);
  }

  /** Resolves when a look that began after this call has ended, however it went. */
  async look(sessionId: string): Promise<void> {
    await this.#looks.request(sessionId);
  }

  /**
   * One more look after a session's container has ended: what it still claims, nobody works on. Throws when that
   * could not be written down: until it is, no other container may claim anything. `why`: how it ended, as a sentence.
   */
  async finish(sessionId: string, condemned: ReadonlySet<string>, why?: string): Promise<void> {
    this.#endedContainers.set(sessionId, { condemned, why });
    await this.#looks.request(sessionId);
    if (!this.#endedContainers.has(sessionId)) return;
    throw new BerthError('io_failed', 'What a container left behind could not be dealt with.', {
      facts: { sessionId },
    });
  }

  /** A row that was final is to be sent after all: looks from its seq on. */
  reopen(sessionId: string, seq: number): void {
    this.#deps.rows.reopen(sessionId, seq);
    this.nudge(sessionId);
  }

  /** From now on a look goes through one page of rows at the most, and none begins by itself. */
  beginStop(): void {
    this.#isStopping = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Resolves when no look is in progress. */
  async stop(): Promise<void> {
    this.beginStop();
    await this.drain();
  }

  /** Resolves when no look is in progress. */
  async drain(): Promise<void> {
    await this.#looks.idle();
  }

  /** Never rejects: what goes wrong is this session's own. */
  async #look(sessionId: string): Promise<void> {
    const end = this.#endedContainers.get(sessionId);
    this.#endedContainers.delete(sessionId);
    try {
      await this.#lookInto(sessionId, end);
    } catch (err) {
      if (end !== undefined) this.#endedContainers.set(sessionId, end);
      this.#deps.log.warn({ err, sessionId }, 'delivery look failed');
      this.#lookAgainSoon(sessionId);
    }
  }

  async #lookInto(sessionId: string, end: ContainerEnd | undefined): Promise<void> {
    const { store, recovery, onPlanned } = this.#deps;
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
        this.#lookAgainSoon(sessionId);
        return;
      } catch (error) {
        if (!recovery.report(sessionId, error)) throw error;
        this.#deps.rows.forget(sessionId);
        // After its container has ended, what was found can be mended at once.
        if (end === undefined || attempt === maxMends) return;
      }
    }
    onPlanned();
  }

  /** False where the daemon stops before the end. */
  async #goThrough(session: Session, end: ContainerEnd | undefined): Promise<boolean> {
    const { settlement, recovery, rows } = this.#deps;
    let failed = end?.condemned;
    if (end !== undefined) {
      const unanswered = await recovery.repair(session.id);
      if (unanswered !== undefined) {
        this.#deps.rows.forget(session.id);
        failed = new Set([...end.condemned, ...unanswered]);
      }
    }
    await recovery.assertWhole(session.id);
    const acks = await settlement.readAcks(session);
    if (!(await rows.deliver(session, () => this.#isStopping))) return false;
    if (hasEnded(acks)) await delay(this.#deps.booksWaitMs);
    await settlement.settle(session, acks, failed, end?.why);
    return true;
  }

  #lookAgainSoon(sessionId: string): void {
    const { store, clock, lookAgainMs, log, onPlanned } = this.#deps;
    const dueAt = isoAt(clock.now() + lookAgainMs);
    try {
      store.dueItems.set({ sessionId, kind: 'deliver', dueAt, attempts: 0 });
      onPlanned();
    } catch (err) {
      log.error({ err, sessionId }, 'delivery not planned');
      this.#remember(sessionId);
    }
  }

  /** What cannot be written down is kept in mind: a disk that has room again tells nobody. */
  #remember(sessionId: string): void {
    if (this.#isStopping || this.#timers.has(sessionId)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(sessionId);
      this.nudge(sessionId);
    }, this.#deps.lookAgainMs);
    this.#timers.set(sessionId, timer);
  }

  /** Nothing can be done for this session any more. */
  #forget(sessionId: string): void {
    const { store } = this.#deps;
    store.dueItems.clear(sessionId, 'wake');
    store.dueItems.clear(sessionId, 'deliver');
    this.#deps.rows.forget(sessionId);
  }
}

/** One of the messages is answered, or has failed. */
function hasEnded(acks: Acks): boolean {
  return [...acks.values()].some(({ status }) => status !== 'processing');
}
