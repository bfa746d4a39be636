/**
 * Begins, changes and ends sessions: no other code writes sessions.status, and a wall checks that. The table of transitions
 * allows each change, and its event is written in the same transaction.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { settingsKey, type AgentGroup } from '../store/agent-groups.js';
import type { EventName } from '../store/session-events.js';
import { SealedStatus, type SessionStatusWriter } from '../store/session-status.js';
import type { Session, SessionKey } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { dropQuestions } from './question-ends.js';
import { decideTransition, eventOfChange, type StatusChange } from './session-transitions.js';

export interface SessionLifecycleDeps {
  readonly store: Store;
  readonly clock: Clock;
}

/** Changes that a session's present status alone decides on. */
type PlainChange = Exclude<StatusChange, 'take' | 'remove'>;

export class SessionLifecycle {
  readonly #deps: SessionLifecycleDeps;
  readonly #status: SessionStatusWriter;

  constructor(deps: SessionLifecycleDeps) {
    this.#deps = deps;
    this.#status = SealedStatus.open(deps.store.sessionStatus);
  }

  /** A session for a conversation that has none. */
  begin(id: string, key: SessionKey): Session {
    const session = this.#fresh({ ...key, id, status: 'active' });
    this.#insert(session, null, 'session.created', undefined);
    return session;
  }

  /** A session that waits for a conversation of this agent group. */
  prewarm(id: string, agentGroup: AgentGroup): Session {
    const key = { agentGroupId: agentGroup.id, messagingGroupId: null, threadId: null };
    const session = this.#fresh({ ...key, id, status: 'warm' });
    this.#insert(session, settingsKey(agentGroup), 'session.prewarmed', undefined);
    return session;
  }

  /** A session whose folder was found, and that central.db did not know; `madeFor` as in SessionStatusWriter.insert. */
  adopt(session: Session, madeFor: string | null = null): void {
    const why = session.statusReason ?? undefined;
    this.#insert(session, madeFor, 'session.adopted', why);
  }

  /** Gives a prewarmed session with a running container to a conversation, if there is one made for these settings. */
  take(key: SessionKey, agentGroup: AgentGroup): Session | undefined {
    const { store } = this.#deps;
    return store.transaction(() => {
      const id = this.#status.takePrewarmed(key, settingsKey(agentGroup));
      const session = id === undefined ? undefined : store.sessions.find(id);
      if (session !== undefined) this.#note(session, eventOfChange.take, undefined);
      return session;
    });
  }

  /** A person ends it. False where it is not in use. */
  close(id: string, reason: string): boolean {
    return this.#change(id, 'close', reason);
  }

  /** Nothing needs it any more. False where it is not in use. */
  expire(id: string, reason: string): boolean {
    return this.#change(id, 'expire', reason);
  }

  /** Its files cannot be used. False where it is not active. */
  quarantine(id: string, reason: string): boolean {
    return this.#change(id, 'quarantine', reason);
  }

  /** A person takes it into use again. False where it was not closed. */
  reopen(id: string): boolean {
    return this.#change(id, 'reopen', null);
  }

  /** Takes the rows of one that is not in use away; its folder is the caller's. False where it is in use, or gone. */
  remove(id: string, why?: string): boolean {
    const { store } = this.#deps;
    return store.transaction(() => {
      const session = store.sessions.find(id);
      if (session === undefined) return false;
      if (decideTransition(session.status, 'remove') === undefined) return false;
      this.#status.delete(id);
      this.#note(session, eventOfChange.remove, why);
      return true;
    });
  }

  #change(id: string, change: PlainChange, reason: string | null): boolean {
    const { store, clock } = this.#deps;
    return store.transaction(() => {
      const session = store.sessions.find(id);
      if (session === undefined) return false;
      const next = decideTransition(session.status, change);
      if (next === undefined || next === 'gone') return false;
      this.#status.set(id, next, reason);
      if (next !== 'active') dropQuestions(store, id, isoAt(clock.now()));
      this.#note(session, eventOfChange[change], reason ?? undefined);
      return true;
    });
  }

  #insert(
    session: Session,
    madeFor: string | null,
    name: EventName,
    why: string | undefined,
  ): void {
    this.#deps.store.transaction(() => {
      this.#status.insert(session, madeFor);
      this.#note(session, name, why);
    });
  }

  #note({ id, messagingGroupId }: Session, name: EventName, why: string | undefined): void {
    const { store, clock } = this.#deps;
    const detail = why === undefined ? {} : { detail: { why } };
    store.events.add({ name, sessionId: id, messagingGroupId, ...detail }, isoAt(clock.now()));
  }

  #fresh(fields: SessionKey & Pick<Session, 'id' | 'status'>): Session {
    return {
      id: fields.id,
      agentGroupId: fields.agentGroupId,
      messagingGroupId: fields.messagingGroupId,
      threadId: fields.threadId,
      provider: null,
      status: fields.status,
      statusReason: null,
      containerStatus: 'stopped',
      lastActive: null,
      createdAt: isoAt(this.#deps.clock.now()),
    };
  }
}
