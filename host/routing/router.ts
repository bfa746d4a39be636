/**
 * Whose message is this? A message is accepted when it is on disk in every session it belongs to; before that
 * nobody is told so. The same platform message leads to the same row ids, so doing it twice changes nothing.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { hasCode, toBerthError } from '../../shared/base/errors.js';
import { idFrom, type NewId } from '../../shared/base/ids.js';
import type { Logger } from '../../shared/base/logger.js';
import { encodeContent, type InboundStatus } from '../../shared/protocol/session-message.js';
import type { InboundEvent, InboundOutcome } from '../channels/channel.js';
import type { InboxFiles } from '../sessions/inbox-files.js';
import type { Mailbox } from '../sessions/mailbox.js';
import { sessionKeyFor } from '../sessions/session-key.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { MessagingGroup } from '../store/messaging-groups.js';
import type { ReceivedMessage, Verdict } from '../store/received-messages.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { Wiring } from '../store/wirings.js';
import { decideEngagement } from './engagement.js';
import { findGateReason } from './gates.js';
import { readWiringRules, type WiringRules } from './wiring-rules.js';

export interface RouterDeps {
  readonly store: Store;
  readonly sessions: SessionRegistry;
  readonly mailbox: Mailbox;
  readonly inboxFiles: InboxFiles;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: Logger;
  /** The agent group that answers chats which wire themselves. */
  readonly defaultAgentFolder: string;
  readonly wiresItself: (channelType: string) => boolean;
  /** A session's files cannot be used: it is to be set aside. */
  readonly onDamaged: (sessionId: string, reason: string) => void;
  /** A message waits in this session. */
  readonly onPosted: (sessionId: string) => void;
}

export class Router {
  readonly #deps: RouterDeps;
  /** The last message of each chat that is still being written: messages of one chat keep their order. */
  readonly #tails = new Map<string, Promise<unknown>>();

  constructor(deps: RouterDeps) {
    this.#deps = deps;
  }

  /** Rejects when the message could not be written; it is not accepted then and may be sent again. */
  route(event: InboundEvent): Promise<InboundOutcome> {
    const chat = `${event.address.channelType}\n${event.address.platformId}`;
    const before = this.#tails.get(chat) ?? Promise.resolve();
    const outcome = before.then(() => this.#routeNow(event));
    const tail = outcome
      .catch(() => undefined)
      .then(() => {
        if (this.#tails.get(chat) === tail) this.#tails.delete(chat);
      });
    this.#tails.set(chat, tail);
    return outcome;
  }

  /** Resolves when every message that was taken before is written. */
  async drain(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }

  async #routeNow(event: InboundEvent): Promise<InboundOutcome> {
    const { store, clock } = this.#deps;
    const chat = this.#ensureMessagingGroup(event);
    const known = store.received.find(chat.id, event.platformMessageId);
    if (known !== undefined) return this.#describeDuplicate(known);

    const messageId = idFrom('m', chat.id, event.platformMessageId);
    const wirings = this.#listWirings(chat);
    const verdicts: Verdict[] = [];
    for (const wiring of wirings)
      verdicts.push(await this.#applyWiring(wiring, chat, event, messageId));
    store.received.insert({
      messagingGroupId: chat.id,
      platformMessageId: event.platformMessageId,
      messageId,
      verdicts,
      receivedAt: isoAt(clock.now()),
    });
    return this.#outcomeOf(verdicts, chat, messageId);
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
    const reason =
      verdicts.length === 0
        ? 'no agent is wired to this chat'
        : verdicts.map((verdict) => verdict.reason).join('; ');
    log.info(
      { channel: chat.channelType, messagingGroup: chat.id, messageId, reason },
      'message refused',
    );
    return { kind: 'refused', reason };
  }

  async #describeDuplicate(known: ReceivedMessage): Promise<InboundOutcome> {
    const { messageId, verdicts } = known;
    if (verdicts.every(({ verdict }) => verdict === 'refused')) {
      return { kind: 'refused', reason: 'it was refused before' };
    }
    const statuses: (InboundStatus | undefined)[] = [];
    for (const { verdict, sessionId } of verdicts) {
      if (verdict !== 'engaged' || sessionId === undefined) continue;
      statuses.push(await this.#deps.mailbox.findStatus(sessionId, messageId));
    }
    const isSettled = statuses.every((status) => status === 'completed' || status === 'failed');
    const duplicate = {
      kind: 'duplicate',
      messageId,
      contextOnly: isContextOnly(verdicts),
    } as const;
    if (!isSettled || duplicate.contextOnly) return duplicate;
    return { ...duplicate, settled: statuses.includes('failed') ? 'failed' : 'completed' };
  }

  /** An unknown chat is recorded, so that an admin can see and wire it. */
  #ensureMessagingGroup(event: InboundEvent): MessagingGroup {
    const { store, clock, newId, log } = this.#deps;
    const { channelType, platformId } = event.address;
    const known = store.messagingGroups.findByPlatform(channelType, platformId);
    if (known !== undefined) return known;
    const chat: MessagingGroup = {
      id: newId('mg'),
      channelType,
      platformId,
      name: event.chatName ?? null,
      isGroup: event.isGroup,
      adminUserId: null,
      createdAt: isoAt(clock.now()),
    };
    store.messagingGroups.insert(chat);
    log.info({ channel: channelType, messagingGroup: chat.id }, 'unknown chat recorded');
    if (this.#deps.wiresItself(channelType)) this.#wireToDefault(chat);
    return chat;
  }

  #wireToDefault(chat: MessagingGroup): void {
    const { store, clock, newId, defaultAgentFolder, log } = this.#deps;
    const agentGroup = store.agentGroups.findByFolder(defaultAgentFolder);
    if (agentGroup === undefined) return;
    store.wirings.insert({
      id: newId('w'),
      messagingGroupId: chat.id,
      agentGroupId: agentGroup.id,
      triggerRules: null,
      responseScope: 'all',
      sessionMode: 'shared',
      priority: 0,
      createdAt: isoAt(clock.now()),
    });
    log.info({ messagingGroup: chat.id, agentGroup: agentGroup.id }, 'chat wired itself');
  }

  #listWirings(chat: MessagingGroup): readonly Wiring[] {
    return this.#deps.store.wirings.listForMessagingGroup(chat.id);
  }

  async #applyWiring(
    wiring: Wiring,
    chat: MessagingGroup,
    event: InboundEvent,
    messageId: string,
  ): Promise<Verdict> {
    const { agentGroupId } = wiring;
    const rules = readWiringRules(wiring);
    if ('unusable' in rules) {
      this.#deps.log.error({ wiring: wiring.id, reason: rules.unusable }, 'wiring cannot be used');
      return { agentGroupId, verdict: 'refused', reason: rules.unusable };
    }
    const gate = findGateReason(rules.scope, {
      senderId: event.sender.id,
      adminUserId: chat.adminUserId,
      allowedSenders: this.#deps.store.messagingGroups.listAllowedSenders(chat.id),
    });
    if (gate !== undefined) return { agentGroupId, verdict: 'refused', reason: gate };
    const engagement = this.#engage(rules, wiring, event);
    if (engagement.kind === 'refused') {
      return { agentGroupId, verdict: 'refused', reason: engagement.reason };
    }
    const session = await this.#post(rules, wiring, event, messageId, engagement.kind);
    if (engagement.kind === 'engaged') {
      return { agentGroupId, verdict: 'engaged', sessionId: session.id };
    }
    return { agentGroupId, verdict: 'context', reason: engagement.reason, sessionId: session.id };
  }

  #engage(
    rules: WiringRules,
    wiring: Wiring,
    event: InboundEvent,
  ): ReturnType<typeof decideEngagement> {
    const { store, clock } = this.#deps;
    const { messagingGroupId, agentGroupId } = wiring;
    const thread = { messagingGroupId, agentGroupId, threadId: event.address.threadId };
    const isAddressed = event.isMention || !event.isGroup;
    const engagement = decideEngagement(rules.trigger, rules.scope, {
      text: event.text,
      isAddressed,
      isThreadEngaged: rules.trigger.mode === 'mention-sticky' && store.engagedThreads.has(thread),
    });
    if (rules.trigger.mode === 'mention-sticky' && isAddressed && engagement.kind === 'engaged') {
      store.engagedThreads.add(thread, isoAt(clock.now()));
    }
    return engagement;
  }

  async #post(
    rules: WiringRules,
    wiring: Wiring,
    event: InboundEvent,
    messageId: string,
    kind: 'engaged' | 'context',
  ): Promise<Session> {
    const { store, clock, sessions, onPosted, onDamaged } = this.#deps;
    const key = sessionKeyFor(rules.mode, {
      agentGroupId: wiring.agentGroupId,
      messagingGroupId: wiring.messagingGroupId,
      threadId: event.address.threadId,
    });
    const session = await this.#writeTo(sessions.ensure(key), event, messageId, kind).catch(
      async (error: unknown) => {
        if (!hasCode(error, 'database_corrupt', 'database_unreadable')) throw error;
        // One damaged session must not close the chat: it is set aside, and the next one takes over.
        const damaged = sessions.ensure(key);
        onDamaged(damaged.id, toBerthError(error).message);
        return this.#writeTo(sessions.ensure(key), event, messageId, kind);
      },
    );
    const now = isoAt(clock.now());
    store.sessions.touch(session.id, now);
    if (kind === 'context') return session;
    store.dueItems.advance(session.id, 'wake', now);
    onPosted(session.id);
    return session;
  }

  async #writeTo(
    session: Session,
    event: InboundEvent,
    messageId: string,
    kind: 'engaged' | 'context',
  ): Promise<Session> {
    const { mailbox, sessions, clock, inboxFiles } = this.#deps;
    const attachments = await inboxFiles.take(session.id, messageId, event.files ?? []);
    await mailbox.post(session.id, {
      routing: event.address,
      ...sessions.projectionOf(session),
      rows: [
        {
          id: messageId,
          kind: 'chat',
          timestamp: isoAt(clock.now()),
          status: kind === 'engaged' ? 'pending' : 'context',
          processAfter: null,
          recurrence: null,
          address: event.address,
          content: encodeContent({
            kind: 'chat',
            chat: {
              text: event.text,
              sender: event.sender,
              mentioned: event.isMention || !event.isGroup,
              ...(event.replyTo === undefined ? {} : { replyTo: event.replyTo }),
              attachments: [...attachments],
            },
          }),
        },
      ],
    });
    return session;
  }
}

function isContextOnly(verdicts: readonly Verdict[]): boolean {
  return !verdicts.some(({ verdict }) => verdict === 'engaged');
}
