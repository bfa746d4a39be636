import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { NewId } from '../../shared/base/ids.js';
import type { Logger } from '../../shared/base/logger.js';
import type { Address, Destination } from '../../shared/protocol/session-message.js';
import type { AgentGroup } from '../store/agent-groups.js';
import type { Session, SessionKey } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { askerAddress } from './agent-conversation.js';
import { SessionLifecycle } from './session-lifecycle.js';

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
  readonly #lifecycle: SessionLifecycle;

  constructor(deps: SessionRegistryDeps) {
    this.#deps = deps;
    this.#lifecycle = new SessionLifecycle(deps);
  }

  /** The active session of a conversation, made when there is none. */
  ensure(key: SessionKey): Session {
    const { store, newId } = this.#deps;
    // Nearly always there is one, and nothing to be locked for.
    const known = store.sessions.findActive(key);
    if (known !== undefined) return known;
    return store.transaction(() => {
      const found = store.sessions.findActive(key);
      if (found !== undefined) return found;
      const prewarmed = this.#takePrewarmed(key);
      if (prewarmed !== undefined) return prewarmed;
      return this.#lifecycle.begin(newId('s'), key);
    });
  }

  /** A session that waits for a conversation of this agent group. */
  prewarm(agentGroup: AgentGroup): Session {
    return this.#lifecycle.prewarm(this.#deps.newId('s'), agentGroup);
  }

  #takePrewarmed(key: SessionKey): Session | undefined {
    const { store, log, onTaken } = this.#deps;
    const agentGroup = store.agentGroups.find(key.agentGroupId);
    if (agentGroup === undefined) return undefined;
    const session = this.#lifecycle.take(key, agentGroup);
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
      this.#lifecycle.quarantine(sessionId, reason);
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
