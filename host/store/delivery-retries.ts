import type { Db } from '../../shared/base/sqlite.js';

/** A reply whose sending has failed and will be tried again. */
export interface DeliveryRetry {
  readonly sessionId: string;
  readonly messageOutId: string;
  readonly attempts: number;
  /** ISO-8601. */
  readonly dueAt: string;
  readonly reason: string;
}

export class DeliveryRetryStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  list(sessionId: string): ReadonlyMap<string, DeliveryRetry> {
    const rows = this.#db
      .prepare<[string], DeliveryRetry>(
        `SELECT session_id AS sessionId, message_out_id AS messageOutId, attempts, due_at AS dueAt, reason
         FROM delivery_retries WHERE session_id = ?`,
      )
      .all(sessionId);
    return new Map(rows.map((row) => [row.messageOutId, row]));
  }

  set(retry: DeliveryRetry): void {
    this.#db
      .prepare(
        `INSERT INTO delivery_retries (session_id, message_out_id, attempts, due_at, reason)
         VALUES (@sessionId, @messageOutId, @attempts, @dueAt, @reason)
         ON CONFLICT (session_id, message_out_id) DO UPDATE SET
           attempts = @attempts, due_at = @dueAt, reason = @reason`,
      )
      .run(retry);
  }

  clear(sessionId: string, messageOutId: string): void {
    this.#db
      .prepare('DELETE FROM delivery_retries WHERE session_id = ? AND message_out_id = ?')
      .run(sessionId, messageOutId);
  }
}
