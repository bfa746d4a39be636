import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

/**
 * `active`: takes messages. `warm`: prewarmed, and waits for its conversation. `closed`: ended; status_reason says by whom
 * or why. `set-aside`: quarantined, because its files cannot be used; status_reason says why. Which follows which is
 * said in host/sessions/session-transitions.ts: a new one does not compile until it has its place there.
 */
export type SessionStatus = 'active' | 'warm' | 'closed' | 'set-aside';

/** The state that was last observed; the container engine has the truth. */
export type ContainerStatus = 'stopped' | 'starting' | 'running';

export interface Session {
  readonly id: string;
  readonly agentGroupId: string;
  /** Null where a session serves a whole agent group. */
  readonly messagingGroupId: string | null;
  readonly threadId: string | null;
  /** Null: the agent group's. */
  readonly provider: string | null;
  readonly status: SessionStatus;
  readonly statusReason: string | null;
  readonly containerStatus: ContainerStatus;
  readonly lastActive: string | null;
  readonly createdAt: string;
}

export interface PrewarmedSession extends Session {
  /** Its agent group's settings, as settingsKey tells them. */
  readonly madeFor: string;
}

/** The fields that make two messages belong to one conversation. */
export interface SessionKey {
  readonly agentGroupId: string;
  readonly messagingGroupId: string | null;
  readonly threadId: string | null;
}

export interface SessionFilter {
  readonly status?: SessionStatus;
  readonly agentGroupId?: string;
  readonly messagingGroupId?: string;
}

const columns = `id, agent_group_id AS agentGroupId, messaging_group_id AS messagingGroupId,
  thread_id AS threadId, agent_provider AS provider, status, status_reason AS statusReason,
  container_status AS containerStatus, last_active AS lastActive, created_at AS createdAt`;

/** Finds sessions, and notes what is seen of them. Their status is written in session-status.ts. */
export class SessionStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  /** The last active first. */
  list(filter: SessionFilter = {}): readonly Session[] {
    return this.#statements
      .prepare<[Record<keyof SessionFilter, string | null>], Session>(
        `SELECT ${columns} FROM sessions
         WHERE status = coalesce(@status, status) AND agent_group_id = coalesce(@agentGroupId, agent_group_id)
           AND messaging_group_id IS coalesce(@messagingGroupId, messaging_group_id)
         ORDER BY coalesce(last_active, created_at) DESC, id`,
      )
      .all({ status: null, agentGroupId: null, messagingGroupId: null, ...filter });
  }

  find(id: string): Session | undefined {
    return this.#statements
      .prepare<[string], Session>(`SELECT ${columns} FROM sessions WHERE id = ?`)
      .get(id);
  }

  /** Those of the given ids that are of no session. */
  listUnknown(ids: readonly string[]): readonly string[] {
    return this.#statements
      .pluck<[string], string>(
        `SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM sessions)`,
      )
      .all(JSON.stringify(ids));
  }

  /** Active sessions after the given id, in the order of their ids; `isUsed`: somebody has written to it. */
  listActiveAfter(
    id: string,
    limit: number,
  ): readonly { readonly id: string; readonly isUsed: boolean }[] {
    return this.#statements
      .prepare<[string, number], { id: string; lastActive: string | null }>(
        `SELECT id, last_active AS lastActive FROM sessions
         WHERE id > ? AND status = 'active' ORDER BY id LIMIT ?`,
      )
      .all(id, limit)
      .map((row) => ({ id: row.id, isUsed: row.lastActive !== null }));
  }

  /** The active session with the next id, if there is one. */
  findActiveAfter(id: string): string | undefined {
    return this.#statements
      .pluck<[string], string>(
        `SELECT id FROM sessions WHERE id > ? AND status = 'active' ORDER BY id LIMIT 1`,
      )
      .get(id);
  }

  findActive(key: SessionKey): Session | undefined {
    return this.#statements
      .prepare<[SessionKey], Session>(
        `SELECT ${columns} FROM sessions
         WHERE messaging_group_id IS @messagingGroupId AND thread_id IS @threadId
           AND agent_group_id = @agentGroupId AND status = 'active'
         ORDER BY created_at DESC LIMIT 1`,
      )
      .get(key);
  }

  /** Sessions that were never used, warm ones and such as are not wanted any more, the oldest first. */
  listPrewarmed(): readonly PrewarmedSession[] {
    return this.#statements
      .prepare<[], PrewarmedSession>(
        `SELECT ${columns}, made_for AS madeFor FROM sessions WHERE made_for IS NOT NULL ORDER BY created_at, id`,
      )
      .all();
  }

  /** Prewarmed sessions are not taken until their containers are noted as running again. */
  doubtPrewarmed(): void {
    this.#statements
      .prepare(
        `UPDATE sessions SET container_status = 'starting' WHERE status = 'warm' AND container_status = 'running'`,
      )
      .run();
  }

  /** Since when the session is known to have ended: ISO-8601, or null. */
  findEndedAt(id: string): string | null {
    const endedAt = this.#statements
      .pluck<[string], string | null>('SELECT ended_at FROM sessions WHERE id = ?')
      .get(id);
    return endedAt ?? null;
  }

  setEndedAt(id: string, endedAt: string | null): void {
    this.#statements.prepare('UPDATE sessions SET ended_at = ? WHERE id = ?').run(endedAt, id);
  }

  setContainerStatus(id: string, status: ContainerStatus): void {
    this.#statements
      .prepare('UPDATE sessions SET container_status = ? WHERE id = ? AND container_status <> ?')
      .run(status, id, status);
  }

  /** Sessions that are noted as having a container. */
  listWithContainer(): readonly Session[] {
    return this.#statements
      .prepare<[], Session>(`SELECT ${columns} FROM sessions WHERE container_status <> 'stopped'`)
      .all();
  }

  /** A session that was last used at a time that has not come yet counts as used now. */
  forgetFuture(now: string): void {
    this.#statements
      .prepare('UPDATE sessions SET last_active = @now WHERE last_active > @now')
      .run({ now });
  }

  touch(id: string, now: string): void {
    this.#statements.prepare('UPDATE sessions SET last_active = ? WHERE id = ?').run(now, id);
  }

  /** Sessions whose messages are due and that have no container. */
  countWaiting(now: string): number {
    const count = this.#statements
      .pluck(
        `SELECT count(*) FROM due_items JOIN sessions ON sessions.id = due_items.session_id
         WHERE due_at <= ? AND kind = 'wake' AND status = 'active' AND container_status = 'stopped'`,
      )
      .get(now);
    return Number(count);
  }

  countByContainerStatus(status: ContainerStatus): number {
    const count = this.#statements
      .pluck('SELECT count(*) FROM sessions WHERE container_status = ?')
      .get(status);
    return Number(count);
  }

  countByStatus(status: SessionStatus): number {
    const count = this.#statements
      .pluck('SELECT count(*) FROM sessions WHERE status = ?')
      .get(status);
    return Number(count);
  }
}
