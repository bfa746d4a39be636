import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';

/** A message that one agent sent to another. */
export interface AgentMessage {
  /** The messages_in row in the session that it went to. */
  readonly id: string;
  readonly fromSessionId: string;
  readonly toSessionId: string;
  /** The messages_out row that said it. */
  readonly messageOutId: string;
  /** Through how many agents it has come since a person said something. */
  readonly hops: number;
  readonly createdAt: string;
}

/** Table agent_messages. */
export class AgentMessageStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  find(id: string): AgentMessage | undefined {
    return this.#statements
      .prepare<[string], AgentMessage>(
        `SELECT id, from_session_id AS fromSessionId, to_session_id AS toSessionId,
                message_out_id AS messageOutId, hops, created_at AS createdAt
         FROM agent_messages WHERE id = ?`,
      )
      .get(id);
  }

  /** How many one session has sent to another since the given time. */
  countSince(fromSessionId: string, toSessionId: string, since: string): number {
    const count = this.#statements
      .pluck(
        `SELECT count(*) FROM agent_messages
         WHERE from_session_id = ? AND to_session_id = ? AND created_at > ?`,
      )
      .get(fromSessionId, toSessionId, since);
    return Number(count);
  }

  /** The first one counts. */
  insert(message: AgentMessage): void {
    this.#statements
      .prepare(
        `INSERT INTO agent_messages (id, from_session_id, to_session_id, message_out_id, hops, created_at)
         VALUES (@id, @fromSessionId, @toSessionId, @messageOutId, @hops, @createdAt) ON CONFLICT DO NOTHING`,
      )
      .run(message);
  }

  /** Forgets what was sent before the given time, `limit` at the most. Returns how many. */
  prune(before: string, limit: number): number {
    return this.#statements
      .prepare(
        `DELETE FROM agent_messages WHERE rowid IN
           (SELECT rowid FROM agent_messages WHERE created_at < ? ORDER BY created_at LIMIT ?)`,
      )
      .run(before, limit).changes;
  }
}
