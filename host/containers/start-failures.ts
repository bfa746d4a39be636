/**
 * Decides what follows when a session's container cannot be started or ends at once: wait longer each time, and say so.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { hasCode, type BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { backoffMs } from '../sessions/retry-policy.js';
import type { Settlement } from '../sessions/settlement/settlement.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { WaitingNotices } from './admission/waiting-notices.js';

export interface StartFailuresDeps {
  readonly store: Store;
  readonly settlement: Settlement;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly log: Logger;
  readonly notices: WaitingNotices;
  /** The engine answers, but starts nothing (an error), or starts containers again (undefined). */
  readonly onStartTrouble: (problem: BerthError | undefined) => void;
}

/** The wait after the first failed start, in milliseconds. */
const baseMs = 1_000;
const longestWaitMs = 60_000;
/** After that many the session's own trouble will not go away by itself. */
const maxAttempts = 5;

export class StartFailures {
  readonly #deps: StartFailuresDeps;
  /** The trouble that kept the engine from starting the last container; undefined where nothing did. */
  #trouble: string | undefined;

  constructor(deps: StartFailuresDeps) {
    this.#deps = deps;
  }

  /** A start failed. Trouble with the engine never ends a message; trouble with the session does. */
  async note(session: Session, error: BerthError): Promise<void> {
    const { settlement, notices, log, onStartTrouble } = this.#deps;
    const isEngines = hasCode(
      error,
      'engine_unreachable',
      'engine_timeout',
      'engine_failed',
      'image_failed',
      'posture_differs',
      'disk_full',
      'resources_short',
    );
    const attempts = this.#putOff(session.id, (now) => {
      const { id: sessionId, messagingGroupId } = session;
      const detail = { why: error.message };
      const event = { name: 'container.failed', sessionId, messagingGroupId, detail } as const;
      this.#deps.store.events.addUnlessRepeated(event, now);
    });
    const fields = { err: error, sessionId: session.id, attempt: attempts };
    // The engine's trouble is that of all sessions: it is said once.
    if (isEngines && error.message === this.#trouble) log.debug(fields, 'container not started');
    else log.error(fields, 'container not started');
    if (isEngines) {
      this.#trouble = error.message;
      onStartTrouble(error);
    }
    const isFinal = hasCode(error, 'spec_refused', 'invalid_input');
    if (session.status === 'warm') return;
    if (isFinal || (!isEngines && attempts >= maxAttempts)) {
      const { message, next = '' } = error;
      await settlement.giveUp(session, `${message} ${next}`.trimEnd());
      return;
    }
    await notices.tellTrouble(session);
  }

  /** A start went well. */
  noteStart(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#deps.log.info({}, 'containers can be started again');
    this.#deps.onStartTrouble(undefined);
  }

  /** A container ended at once, although there is work, and has worked on nothing: the next start waits. */
  async noteEnd(session: Session, lastError: string | undefined): Promise<void> {
    const { store, clock, settlement } = this.#deps;
    const isPrewarmed = session.status === 'warm';
    const wake = store.dueItems.find(session.id, 'wake');
    if (!isPrewarmed && (wake === undefined || wake.dueAt > isoAt(clock.now()))) return;
    const attempts = this.#putOff(session.id);
    const why = lastError === undefined ? '' : `: ${lastError}`;
    if (attempts > maxAttempts && !isPrewarmed)
      await settlement.giveUp(session, `The agent ends right after its start${why}.`);
  }

  /** `tell` adds the event to the same transaction. */
  #putOff(sessionId: string, tell: (now: string) => void = () => undefined): number {
    const { store, clock, chance } = this.#deps;
    const attempts = (store.dueItems.find(sessionId, 'wake')?.attempts ?? 0) + 1;
    const waitMs = Math.min(backoffMs(attempts, baseMs, chance()), longestWaitMs);
    const dueAt = isoAt(clock.now() + waitMs);
    store.transaction(() => {
      store.dueItems.set({ sessionId, kind: 'wake', dueAt, attempts });
      tell(isoAt(clock.now()));
    });
    return attempts;
  }
}
