/** What follows when a session's container cannot be started or ends at once: wait longer each time, and say so. */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { hasCode, type BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { Mailbox } from '../sessions/mailbox.js';
import { backoffMs } from '../sessions/retry-policy.js';
import type { Settlement } from '../sessions/settlement.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';

export interface StartFailuresDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly settlement: Settlement;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly log: Logger;
  readonly onNotice: () => void;
  /** The wake index has changed. */
  readonly onPutOff: () => void;
}

/** The wait after the first failed start, in milliseconds. */
const baseMs = 1_000;
const longestWaitMs = 60_000;
/** After that many the session's own trouble will not go away by itself. */
const maxAttempts = 5;

export class StartFailures {
  readonly #deps: StartFailuresDeps;

  constructor(deps: StartFailuresDeps) {
    this.#deps = deps;
  }

  /** A start failed. What is wrong with the engine never ends a message; what is wrong with the session does. */
  async note(session: Session, error: BerthError): Promise<void> {
    const isEngines = hasCode(
      error,
      'engine_unreachable',
      'engine_timeout',
      'engine_failed',
      'image_failed',
      'disk_full',
    );
    const attempts = this.#putOff(session.id);
    this.#deps.log.error(
      { err: error, sessionId: session.id, attempt: attempts },
      'container not started',
    );
    const isFinal = hasCode(error, 'spec_refused', 'invalid_input');
    if (isFinal || (!isEngines && attempts >= maxAttempts)) {
      await this.#deps.settlement.giveUp(session, error.message);
      return;
    }
    await this.tellWaiting(session);
  }

  /** A container ended although there is work: the next start waits, unless this one had run for a while. */
  async noteEnd(session: Session, wasShort: boolean): Promise<void> {
    const { store, clock, settlement } = this.#deps;
    const wake = store.dueItems.find(session.id, 'wake');
    if (wake === undefined || wake.dueAt > isoAt(clock.now())) return;
    if (!wasShort) return;
    const attempts = this.#putOff(session.id);
    if (attempts > maxAttempts)
      await settlement.giveUp(session, 'The agent ends right after its start.');
  }

  /** Tells the chat once per waiting message that the answer will take longer. */
  async tellWaiting(session: Session): Promise<void> {
    const { store, mailbox, clock, onNotice } = this.#deps;
    const open = await mailbox.inbound(session.id, (inbound) => inbound.listOpen());
    const first = open.find(({ status }) => status === 'pending');
    if (first === undefined) return;
    const addresses = await mailbox.inbound(session.id, (inbound) =>
      inbound.findAddresses([first.id]),
    );
    const address = addresses.get(first.id);
    if (address === undefined) return;
    const text =
      'The agent cannot be started right now. Your message is kept and will be answered as soon as it can.';
    const id = `waiting-${session.id}-${first.id}`;
    store.notices.insert({ id, address, inReplyTo: first.id, text }, isoAt(clock.now()));
    onNotice();
  }

  #putOff(sessionId: string): number {
    const { store, clock, chance, onPutOff } = this.#deps;
    const attempts = (store.dueItems.find(sessionId, 'wake')?.attempts ?? 0) + 1;
    const waitMs = Math.min(backoffMs(attempts, baseMs, chance()), longestWaitMs);
    const dueAt = isoAt(clock.now() + waitMs);
    store.dueItems.set({ sessionId, kind: 'wake', dueAt, attempts });
    onPutOff();
    return attempts;
  }
}
