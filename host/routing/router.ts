/**
 * Whose message is this? A message is accepted when it is on disk in every session it belongs to; before that
 * nobody is told so. The same platform message leads to the same row ids, so doing it twice changes nothing.
 */
import { isoAt } from '../../shared/base/clock.js';
import { idFrom } from '../../shared/base/ids.js';
import type { InboundEvent, InboundOutcome } from '../channels/channel.js';
import type { Nudges } from '../sessions/nudges.js';
import type { MessagingGroup } from '../store/messaging-groups.js';
import type { Verdict } from '../store/messages/received-messages.js';
import type { Wiring } from '../store/wirings.js';
import { awaitWrites, type Delivery } from './await-writes.js';
import { ChatRecorder, type ChatRecorderDeps } from './chat-recorder.js';
import { decideWiring } from './decide-wiring.js';
import { Duplicates, type DuplicatesDeps } from './duplicates.js';
import { answerRow, findAnswer, type FoundAnswer } from './find-answer.js';
import { isContextOnly, reasonOf, Refusals } from './refusals.js';
import { SessionPoster, type SessionPosterDeps } from './session-poster.js';

export interface RouterDeps extends SessionPosterDeps, ChatRecorderDeps, DuplicatesDeps {
  readonly nudges: Pick<Nudges, 'container' | 'notices'>;
}

export class Router {
  readonly #deps: RouterDeps;
  readonly #poster: SessionPoster;
  readonly #chats: ChatRecorder;
  readonly #refusals: Refusals;
  readonly #duplicates: Duplicates;
  /** The decisions of each chat that are being made: messages of one chat are decided and queued in order. */
  readonly #tails = new Map<string, Promise<unknown>>();
  /** Messages that are not on disk yet. */
  readonly #pending = new Set<Promise<unknown>>();
  /** Those of them that have been decided, by id. */
  readonly #writing = new Map<string, Promise<InboundOutcome>>();

  constructor(deps: RouterDeps) {
    this.#deps = deps;
    this.#poster = new SessionPoster(deps);
    this.#chats = new ChatRecorder(deps);
    this.#refusals = new Refusals(deps);
    this.#duplicates = new Duplicates(deps);
  }

  /** Rejects when the message could not be written; it is not accepted then and may be sent again. */
  route(event: InboundEvent): Promise<InboundOutcome> {
    const chat = `${event.address.channelType}\n${event.address.platformId}`;
    const before = this.#tails.get(chat) ?? Promise.resolve();
    const decided = before.then(() => this.#decide(event));
    const tail = decided
      .catch(() => undefined)
      .then(() => {
        if (this.#tails.get(chat) === tail) this.#tails.delete(chat);
      });
    this.#tails.set(chat, tail);
    const outcome = decided.then((finish) => finish());
    const pending = outcome
      .catch(() => undefined)
      .then(() => {
        this.#pending.delete(pending);
      });
    this.#pending.add(pending);
    return outcome;
  }

  /** Resolves when every message that was taken before is written. */
  async drain(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /** Decides, and puts the message into the queues of its sessions. The function that it returns waits for the writes. */
  async #decide(event: InboundEvent): Promise<() => Promise<InboundOutcome>> {
    const { store } = this.#deps;
    const chat = this.#chats.ensure(event);
    const known = store.received.find(chat.id, event.platformMessageId);
    if (known !== undefined) return () => this.#duplicates.describe(known);

    const messageId = idFrom('m', chat.id, event.platformMessageId);
    const twin = this.#writing.get(messageId);
    if (twin !== undefined) return () => twin.then(() => this.route(event));
    const found = findAnswer(store, chat, event, this.#deps.clock.now());
    if (found.kind === 'refused') return () => Promise.resolve(found);
    const deliveries =
      found.kind === 'found'
        ? [this.#takeAnswer(found, event, messageId)]
        : await this.#applyWirings(chat, event, messageId);
    const outcome = this.#finish(event, chat, messageId, deliveries).finally(() => {
      this.#writing.delete(messageId);
    });
    this.#writing.set(messageId, outcome);
    return () => outcome;
  }

  async #applyWirings(
    chat: MessagingGroup,
    event: InboundEvent,
    messageId: string,
  ): Promise<readonly Delivery[]> {
    const deliveries: Delivery[] = [];
    // The platform may not know that several people talk there: then an admin has said so.
    const received = { ...event, isGroup: event.isGroup || chat.isGroup };
    for (const wiring of this.#listWirings(chat)) {
      deliveries.push(await this.#applyWiring(wiring, chat, received, messageId));
    }
    return deliveries;
  }

  /** Only the agent that asked has it. */
  #takeAnswer(
    { question, session, answer, claim }: Extract<FoundAnswer, { kind: 'found' }>,
    event: InboundEvent,
    messageId: string,
  ): Delivery {
    const { store, clock } = this.#deps;
    const system = answerRow(question, answer, event.sender);
    const written = this.#poster.postAnswer(session, event, { messageId, system });
    // Where it could not be written, somebody may answer again.
    written.catch(() => {
      this.#unclaim(question.id, claim);
    });
    return {
      verdict: { agentGroupId: session.agentGroupId, verdict: 'engaged' },
      written,
      alongside: () => {
        store.questions.delete(question.id);
        const others = store.questions.listForSession(session.id);
        if (others.length === 0) store.dueItems.clear(session.id, 'question');
        const of = { sessionId: session.id, messagingGroupId: session.messagingGroupId };
        store.events.add({ name: 'question.answered', ...of, messageId }, isoAt(clock.now()));
      },
    };
  }

  /** A full disk may refuse this too: then the claim ends some time after the question's. */
  #unclaim(questionId: string, claim: string): void {
    try {
      this.#deps.store.questions.unclaim(questionId, claim);
    } catch (err) {
      this.#deps.log.warn({ err, question: questionId }, 'claim of an answer not taken back');
    }
  }

  async #finish(
    event: InboundEvent,
    chat: MessagingGroup,
    messageId: string,
    deliveries: readonly Delivery[],
  ): Promise<InboundOutcome> {
    const { store, clock, nudges, log } = this.#deps;
    const { verdicts, missed, isKnown } = await awaitWrites(deliveries).catch(
      async (error: unknown) => {
        await this.#refusals.noteUntaken(chat, messageId, error);
        throw error;
      },
    );
    log.debug({ messageId }, 'message written');
    const receivedAt = isoAt(clock.now());
    const { platformMessageId } = event;
    const received = {
      messagingGroupId: chat.id,
      platformMessageId,
      messageId,
      verdicts,
      receivedAt,
    };
    await store.transactionSoon(() => {
      for (const { verdict, sessionId = '' } of verdicts) {
        if (verdict !== 'refused') store.sessions.touch(sessionId, receivedAt);
        if (verdict === 'engaged') store.dueItems.advance(sessionId, 'wake', receivedAt);
      }
      store.received.insert(received);
      for (const verdict of missed) this.#tellMissed(event, messageId, verdict, receivedAt);
      for (const { alongside } of deliveries) alongside?.();
      this.#refusals.note(chat, messageId, { verdicts, missed });
    });
    if (missed.length > 0) nudges.notices();
    log.debug({ messageId }, 'message recorded');
    for (const { verdict, sessionId = '' } of verdicts) {
      if (verdict === 'engaged') nudges.container(sessionId);
    }
    // The message was received so long ago that only its sessions know.
    if (isKnown) return await this.#duplicates.describe(received);
    return this.#outcomeOf(verdicts, chat, messageId);
  }

  #tellMissed(
    { address }: InboundEvent,
    messageId: string,
    { agentGroupId, reason }: Verdict,
    now: string,
  ): void {
    const { store, log } = this.#deps;
    const name = store.agentGroups.find(agentGroupId)?.name ?? agentGroupId;
    const text = `${name} could not take this message. Who else answers here has it.`;
    const id = `missed-${agentGroupId}-${messageId}`;
    store.notices.insert({ id, address, inReplyTo: messageId, text }, now);
    log.error({ messageId, agentGroup: agentGroupId, reason }, 'message missed an agent');
  }

  #outcomeOf(
    verdicts: readonly Verdict[],
    chat: MessagingGroup,
    messageId: string,
  ): InboundOutcome {
    const { log } = this.#deps;
    if (verdicts.some(({ verdict }) => verdict !== 'refused')) {
      return { kind: 'accepted', messageId, contextOnly: isContextOnly(verdicts) };
    }
    const reason = reasonOf(verdicts);
    log.info(
      { channel: chat.channelType, messagingGroup: chat.id, messageId, reason },
      'message refused',
    );
    if (verdicts.length > 0) return { kind: 'refused', reason };
    const next = `Wire it with \`berth wirings create ${chat.channelType}:${chat.platformId} AGENT-GROUP\`.`;
    return { kind: 'refused', reason, next };
  }

  #listWirings(chat: MessagingGroup): readonly Wiring[] {
    return this.#deps.store.wirings.listForMessagingGroup(chat.id);
  }

  async #applyWiring(
    wiring: Wiring,
    chat: MessagingGroup,
    event: InboundEvent,
    messageId: string,
  ): Promise<Delivery> {
    const { store, clock, log } = this.#deps;
    const { threadId } = event.address;
    const decision = decideWiring(store, wiring, chat, {
      text: event.text,
      senderId: event.sender.id,
      threadId,
      isMention: event.isMention,
      mentionedNames: event.mentionedNames ?? [],
      isGroup: event.isGroup,
    });
    if (decision.kind === 'unusable') {
      log.error({ wiring: wiring.id, reason: decision.reason }, 'wiring cannot be used');
    }
    if (decision.kind === 'unusable' || decision.kind === 'refused') {
      return refused(wiring, decision.reason);
    }
    const { rules, isAddressed } = decision;
    if (decision.kind === 'engaged' && rules.trigger.mode === 'mention-sticky') {
      const { messagingGroupId, agentGroupId } = wiring;
      const thread = { messagingGroupId, agentGroupId, threadId };
      store.engagedThreads.add(thread, isoAt(clock.now()));
    }
    const verdict: Verdict = {
      agentGroupId: wiring.agentGroupId,
      verdict: decision.kind,
      ...(decision.kind === 'context' ? { reason: decision.reason } : {}),
    };
    const post = { messageId, kind: decision.kind, isAddressed };
    const { written } = await this.#poster.post(rules, wiring, event, post);
    // The caller that finishes waits for it; until then nobody does.
    written.catch(() => undefined);
    return { verdict, written };
  }
}

function refused(wiring: Wiring, reason: string): Delivery {
  const verdict = { agentGroupId: wiring.agentGroupId, verdict: 'refused', reason } as const;
  return { verdict, written: Promise.resolve(undefined) };
}
