import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { NewId } from '../../shared/base/ids.js';
import type { Logger } from '../../shared/base/logger.js';
import type { Address, Destination } from '../../shared/protocol/session-message.js';
import { settingsKey, type AgentGroup } from '../store/agent-groups.js';
import type { Session, SessionKey } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { dropQuestions } from './question-ends.js';
import { askerAddress } from './agent-conversation.js';

export interface SessionRegistryDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: Logger;
  /** A warm session has found its conversation. */
  readonly onTaken?: () => void;
}

/** Which conversation has which session. */
export class SessionRegistry {
  readonly #deps: SessionRegistryDeps;

  constructor(deps: SessionRegistryDeps) {
    this.#deps = deps;
  }

  /** The active session of a conversation, made when there is none. */
  ensure(key: SessionKey): Session {
    const { store, clock, newId } = this.#deps;
    // Nearly always there is one, and nothing to be locked for.
    const known = store.sessions.findActive(key);
    if (known !== undefined) return known;
    return store.transaction(() => {
      const found = store.sessions.findActive(key);
      if (found !== undefined) return found;
      const prewarmed = this.#takePrewarmed(key);
      if (prewarmed !== undefined) return prewarmed;
      const session: Session = {
        ...key,
        id: newId('s'),
        provider: null,
        status: 'active',
        statusReason: null,
        containerStatus: 'stopped',
        lastActive: null,
        createdAt: isoAt(clock.now()),
      };
      store.sessions.insert(session);
      return session;
    });
  }

  /** A session that waits for a conversation of this agent group. */
  prewarm(agentGroup: AgentGroup): Session {
    const { store, clock, newId } = this.#deps;
    const session: Session = {
      id: newId('s'),
      agentGroupId: agentGroup.id,
      messagingGroupId: null,
      threadId: null,
      provider: null,
      status: 'warm',
      statusReason: null,
      containerStatus: 'stopped',
      lastActive: null,
      createdAt: isoAt(clock.now()),
    };
    const madeFor = settingsKey(agentGroup);
    store.transaction(() => {
      store.sessions.insertPrewarmed({ ...session, madeFor });
    });
    return session;
  }

  #takePrewarmed(key: SessionKey): Session | undefined {
    const { store, log, onTaken } = this.#deps;
    const agentGroup = store.agentGroups.find(key.agentGroupId);
    if (agentGroup === undefined) return undefined;
    const session = store.sessions.takePrewarmed(key, settingsKey(agentGroup));
    if (session === undefined) return undefined;
    log.info({ sessionId: session.id }, 'prewarmed session taken');
    onTaken?.();
    return session;
  }

  /** Takes a session out of use because its files cannot be used, and says so in its chat. The next message begins a new one. */
  quarantine(sessionId: string, reason: string): void {
    const { store, clock, log } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session?.status !== 'active') return;
    log.error({ sessionId, reason }, 'session quarantined');
    const { routing } = this.projectionOf(session);
    const text =
      'Something is wrong with the files of this conversation. It begins afresh with your next message; what has not been answered, please send again.';
    const notice = { id: `aside-${sessionId}`, inReplyTo: null, text };
    store.transaction(() => {
      store.sessions.setStatus(sessionId, 'set-aside', reason);
      dropQuestions(store, sessionId, isoAt(clock.now()));
      store.dueItems.clear(sessionId, 'wake');
      store.dueItems.clear(sessionId, 'deliver');
      if (routing === undefined) return;
      store.notices.insert({ ...notice, address: routing }, isoAt(clock.now()));
    });
  }

  /** Where a session's replies go and what it may send to, as the central database has it now. */
  projectionOf(session: Session): {
    routing?: Address;
    destinations: readonly Destination[];
  } {
    const { store } = this.#deps;
    const destinations = store.destinations.list(session.agentGroupId);
    const asker = askerAddress(session);
    if (asker !== undefined) return { destinations, routing: asker };
    // A session of a whole agent group answers where it was last spoken to: the router writes that.
    if (session.messagingGroupId === null) return { destinations };
    const chat = store.messagingGroups.find(session.messagingGroupId);
    if (chat === undefined) return { destinations };
    return {
      destinations,
      routing: {
        channelType: chat.channelType,
        platformId: chat.platformId,
        threadId: session.threadId,
      },
    };
  }
}
