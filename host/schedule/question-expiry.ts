/**
 * Tells agents of questions that have ended without an answer. A question is claimed in central.db first, so that an
 * answer that comes at the same moment is either taken or an ordinary message; done again after a crash, it comes to the
 * same.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { idFrom } from '../../shared/base/ids.js';
import type { Logger } from '../../shared/base/logger.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { Address } from '../../shared/protocol/session-message.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import { messageRow } from '../sessions/mailbox/message-row.js';
import type { Nudges } from '../sessions/nudges.js';
import { quoteQuestion } from '../sessions/question-ends.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import {
  messageClaim,
  type QuestionEnd,
  type StoredQuestion,
} from '../store/messages/questions.js';
import { messagingGroupIdFor } from '../store/messaging-groups.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';

export interface QuestionExpiryDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nudges: Pick<Nudges, 'container'>;
}

/** How long after its time a claimed question waits for its answer; after that none was written. */
const claimedForMs = 60_000;
const againAfterMs = 5_000;

export class QuestionExpiry {
  readonly #deps: QuestionExpiryDeps;
  readonly #checks: SingleFlight;

  constructor(deps: QuestionExpiryDeps) {
    this.#deps = deps;
    this.#checks = new SingleFlight((sessionId) => this.#check(sessionId));
  }

  /** A question of this session may have ended. */
  nudge(sessionId: string): void {
    void this.#checks.request(sessionId);
  }

  /** Resolves when no check is in progress. */
  async idle(): Promise<void> {
    await this.#checks.idle();
  }

  async #check(sessionId: string): Promise<void> {
    const { store, log } = this.#deps;
    try {
      const session = store.sessions.find(sessionId);
      if (session === undefined) return;
      for (const question of store.questions.listForSession(sessionId)) {
        const end = await this.#endOf(question);
        if (end !== undefined) await this.#tell(session, question, end);
      }
      this.#plan(sessionId);
    } catch (err) {
      log.warn({ err, sessionId }, 'questions not checked');
      this.#putOff(sessionId);
    }
  }

  /** Never throws: the session may be gone, or the disk full. The item stays due then, and is reported again. */
  #putOff(sessionId: string): void {
    const { store, clock, log } = this.#deps;
    try {
      const dueAt = isoAt(clock.now() + againAfterMs);
      store.dueItems.set({ sessionId, kind: 'question', dueAt, attempts: 1 });
    } catch (err) {
      log.warn({ err, sessionId }, 'check of questions not put off');
    }
  }

  async #endOf({
    id,
    sessionId,
    address,
    expiresAt,
    claimedBy,
  }: StoredQuestion): Promise<QuestionEnd | undefined> {
    const { store, clock, mailbox } = this.#deps;
    if (claimedBy === 'withdrawn' || claimedBy === 'expired') return claimedBy;
    const nowMs = clock.now();
    if (expiresAt > isoAt(nowMs)) return undefined;
    if (claimedBy !== null) {
      if (expiresAt > isoAt(nowMs - claimedForMs)) return undefined;
      const answer = answerIdOf(address, claimedBy);
      if ((await mailbox.findStatus(sessionId, answer)) !== undefined) {
        // The daemon died between the two: the agent has it.
        store.questions.delete(id);
        return undefined;
      }
      store.questions.unclaim(id, claimedBy);
    }
    return store.questions.claim(id, 'expired') ? 'expired' : undefined;
  }

  async #tell(session: Session, question: StoredQuestion, end: QuestionEnd): Promise<void> {
    const { store, mailbox, sessions, clock, nudges, log } = this.#deps;
    const now = isoAt(clock.now());
    const { id, address, messageOutId, text } = question;
    if (session.status === 'active') {
      await mailbox.post(session.id, {
        ...sessions.projectionOf(session),
        row: messageRow({
          id: idFrom('m', id, end),
          nowMs: clock.now(),
          status: 'pending',
          address,
          content: {
            kind: 'system',
            system: {
              event: `question.${end}`,
              text: `${whatEnded[end]} ${quoteQuestion(text)}.`,
              action: 'ask_user_question',
              requestId: messageOutId,
              result: { questionId: id },
            },
          },
        }),
      });
    }
    store.transaction(() => {
      // It may have been deleted meanwhile.
      if (store.sessions.find(session.id) === undefined) return;
      store.questions.delete(id);
      const { id: sessionId, messagingGroupId } = session;
      const event = { name: 'question.ended', sessionId, messagingGroupId } as const;
      store.events.add({ ...event, messageId: messageOutId, detail: { why: end } }, now);
      if (session.status === 'active') store.dueItems.advance(session.id, 'wake', now);
    });
    log.info({ sessionId: session.id, question: id, end }, 'question ended without an answer');
    nudges.container(session.id);
  }

  /** A question that is claimed is checked again when its answer must have been written. */
  #plan(sessionId: string): void {
    const { store, clock } = this.#deps;
    const soonest = isoAt(clock.now() + againAfterMs);
    const times = store.questions
      .listForSession(sessionId)
      .map(({ expiresAt }) => (expiresAt < soonest ? soonest : expiresAt));
    const dueAt = times.sort()[0];
    if (dueAt === undefined) store.dueItems.clear(sessionId, 'question');
    else store.dueItems.set({ sessionId, kind: 'question', dueAt, attempts: 0 });
  }
}

/** The messages_in row that the message of a claim makes. */
function answerIdOf({ channelType, platformId }: Address, claimedBy: string): string {
  const platformMessageId = claimedBy.slice(messageClaim('').length);
  return idFrom('m', messagingGroupIdFor(channelType, platformId), platformMessageId);
}

const whatEnded = {
  expired: 'Nobody answered in time:',
  withdrawn: 'Nobody can answer any more, because this agent answers that chat no more:',
} as const satisfies Record<QuestionEnd, string>;
