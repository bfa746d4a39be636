/**
 * Writes sessions.status: rows come, change and go here. Only session-lifecycle.ts may import this file, beside the store,
 * which hands it out sealed; a wall checks that. So no other part of Berth can change what a session is.
 */
import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';
import type { Session, SessionKey, SessionStatus } from './sessions.js';

/** A thing that anybody may hand on, and nobody can use without this file. */
export class SealedStatus {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  static open(sealed: SealedStatus): SessionStatusWriter {
    return new SessionStatusWriter(sealed.#statements);
  }
}

export class SessionStatusWriter {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  /** `madeFor`: the settings that a prewarmed session was made with; null for one that has its conversation. */
  insert(session: Session, madeFor: string | null = null): void {
    this.#statements
      .prepare(
        `INSERT INTO sessions (id, agent_group_id, messaging_group_id, thread_id, agent_provider, status,
                               status_reason, container_status, last_active, created_at, made_for)
         VALUES (@id, @agentGroupId, @messagingGroupId, @threadId, @provider, @status,
                 @statusReason, @containerStatus, @lastActive, @createdAt, @madeFor)`,
      )
      .run({ ...session, madeFor });
  }

  /** Gives a prewarmed session with a running container to a conversation. Returns its id, if there is one made for these settings. */
  takePrewarmed(key: SessionKey, madeFor: string): string | undefined {
    return this.#statements
      .pluck<[SessionKey & { madeFor: string }], string>(
        `UPDATE sessions SET status = 'active', made_for = NULL,
           messaging_group_id = @messagingGroupId, thread_id = @threadId
         WHERE id = (SELECT id FROM sessions WHERE agent_group_id = @agentGroupId AND made_for = @madeFor
                       AND status = 'warm' AND container_status = 'running' ORDER BY created_at, id LIMIT 1)
         RETURNING id`,
      )
      .get({ ...key, madeFor });
  }

  set(id: string, status: SessionStatus, reason: string | null): void {
    this.#statements
      .prepare('UPDATE sessions SET status = ?, status_reason = ? WHERE id = ?')
      .run(status, reason, id);
  }

  /** Its row, and all rows that hang on it; its events stay. Its folder stays, too. */
  delete(id: string): void {
    // The table of questions is older than the rule that rows go with their session.
    this.#statements.prepare('DELETE FROM pending_questions WHERE session_id = ?').run(id);
    this.#statements.prepare('DELETE FROM sessions WHERE id = ?').run(id);
  }
}
