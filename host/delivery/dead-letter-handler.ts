/** Tries again what was given up, for commands: only the daemon writes the sessions' files. */
import { isoAt } from '../../shared/base/clock.js';
import { BerthError, toBerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { retryInbound, type InboundRetryDeps } from '../sessions/settlement/inbound-retry.js';
import type { Nudges } from '../sessions/nudges.js';
import type { DeadLetter, DeadLetterRef } from '../store/messages/dead-letters.js';
import type { Session } from '../store/sessions.js';
import type { DeliveryLoop } from './delivery-loop.js';
import type { FailureReports } from './failure-reports.js';

export interface DeadLetterHandlerDeps extends InboundRetryDeps {
  readonly loop: DeliveryLoop;
  readonly reports: FailureReports;
  readonly log: Logger;
  readonly nudges: Pick<Nudges, 'container'>;
}

export type RetryOutcome = DeadLetterRef &
  (
    | { readonly outcome: 'retried' }
    /** The message had been dealt with meanwhile. */
    | { readonly outcome: 'settled' }
    | { readonly outcome: 'refused'; readonly reason: string; readonly next: string | null }
  );

/** The place where a row stands; timestamp: ISO-8601. */
interface Place {
  readonly seq: number;
  readonly timestamp: string;
}

const nowhere: Place = { seq: Infinity, timestamp: '~' };

export class DeadLetterHandler {
  readonly #deps: DeadLetterHandlerDeps;

  constructor(deps: DeadLetterHandlerDeps) {
    this.#deps = deps;
  }

  /** In the order in which they came. A letter that cannot be tried again keeps none of the others from it. */
  async retry(letters: readonly DeadLetterRef[]): Promise<readonly RetryOutcome[]> {
    const outcomes: RetryOutcome[] = [];
    for (const ref of await this.#inOrder(letters)) {
      outcomes.push({ ...ref, ...(await this.#retryOne(ref)) });
    }
    return outcomes;
  }

  /** The older session of a conversation first, and in a session by seq. */
  async #inOrder(refs: readonly DeadLetterRef[]): Promise<readonly DeadLetterRef[]> {
    const sessions = new Map<string, { ref: DeadLetterRef; place: Place }[]>();
    for (const ref of refs) {
      const placed = { ref, place: await this.#findPlace(ref) };
      const known = sessions.get(ref.sessionId);
      if (known === undefined) sessions.set(ref.sessionId, [placed]);
      else known.push(placed);
    }
    return [...sessions.values()]
      .map((letters) => letters.toSorted((a, b) => a.place.seq - b.place.seq))
      .toSorted(([a], [b]) => compare(a?.place.timestamp, b?.place.timestamp))
      .flatMap((letters) => letters.map(({ ref }) => ref));
  }

  /** A message that cannot be read comes last; its retry says why. */
  async #findPlace({ sessionId, direction, messageId }: DeadLetterRef): Promise<Place> {
    const { mailbox } = this.#deps;
    try {
      const row =
        direction === 'in'
          ? await mailbox.inbound(sessionId, 'findMessage', messageId)
          : await mailbox.outbound(sessionId, 'find', messageId);
      return row ?? nowhere;
    } catch {
      return nowhere;
    }
  }

  async #retryOne(ref: DeadLetterRef) {
    const { store, log } = this.#deps;
    const letter = store.deadLetters.find(ref);
    const session = store.sessions.find(ref.sessionId);
    if (letter === undefined || session === undefined) return { outcome: 'settled' } as const;
    try {
      const isRetried =
        ref.direction === 'in'
          ? await this.#retryIn(session, letter)
          : await this.#retryOut(session, letter);
      log.info({ sessionId: session.id, messageId: letter.messageId }, 'dead letter tried again');
      return { outcome: isRetried ? 'retried' : 'settled' } as const;
    } catch (error) {
      const { message, next = null } = toBerthError(error);
      return { outcome: 'refused', reason: message, next } as const;
    }
  }

  async #retryIn(session: Session, letter: DeadLetter): Promise<boolean> {
    const sessionId = await retryInbound(this.#deps, session, letter);
    if (sessionId !== undefined) this.#deps.nudges.container(sessionId);
    return sessionId !== undefined;
  }

  async #retryOut(session: Session, letter: DeadLetter): Promise<boolean> {
    const { store, mailbox, clock, reports, loop } = this.#deps;
    if (session.status === 'set-aside') throw quarantined(session);
    const { messageId, reason, maybeSent } = letter;
    const row = await mailbox.outbound(session.id, 'find', messageId);
    if (row === undefined) throw isGone(letter);
    await reports.retract(letter, row);
    const isGivenUp = await mailbox.inbound(session.id, 'isDeliveryGivenUp', messageId);
    const dueAt = isoAt(clock.now());
    const retry = { sessionId: session.id, messageOutId: messageId, attempts: 0, dueAt, reason };
    // Before it can be sent: it must say that it may be a repeat.
    if (isGivenUp && maybeSent) store.deliveryRetries.set({ ...retry, maybeSent });
    await mailbox.inbound(session.id, 'reopenDelivery', messageId);
    // Without a pause: it may be sent, and given up once more, from here on.
    store.transaction(() => {
      store.dueItems.advance(session.id, 'deliver', dueAt);
      store.deadLetters.remove(letter);
      const { id: sessionId, messagingGroupId } = session;
      const detail = { why: 'somebody has asked for it' };
      const of = { sessionId, messagingGroupId, messageId };
      store.events.add({ name: 'reply.retried', ...of, detail }, dueAt);
    });
    loop.reopen(session.id, row.seq);
    return isGivenUp;
  }
}

function compare(a = nowhere.timestamp, b = nowhere.timestamp): number {
  return a < b ? -1 : Number(a > b);
}

function isGone({ messageId }: DeadLetter): BerthError {
  return new BerthError('not_found', `The agent's files do not hold ${messageId} any more.`, {
    next: 'Forget it with `berth dead-letters purge`.',
  });
}

function quarantined({ id, statusReason }: Session): BerthError {
  return new BerthError(
    'invalid_input',
    `The session ${id} was set aside: ${statusReason ?? '-'}`,
    {
      next: 'Its messages can be read with `berth dead-letters show`; ask the agent to write it again.',
    },
  );
}
