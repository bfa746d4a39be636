import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';

/** A reply whose sending has failed and will be tried again. */
export interface DeliveryRetry {
  readonly sessionId: string;
  readonly messageOutId: string;
  readonly attempts: number;
  /** ISO-8601. */
  readonly dueAt: string;
  readonly reason: string;
  /** The outcome of a send is not known: it may have arrived. */
  readonly maybeSent: boolean;
}

type Row = Omit<DeliveryRetry, 'maybeSent'> & { readonly maybeSent: 0 | 1 };

export class DeliveryRetryStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  list(sessionId: string): ReadonlyMap<string, DeliveryRetry> {
    const rows = this.#statements
      .prepare<[string], Row>(
        `SELECT session_id AS sessionId, message_out_id AS messageOutId, attempts, due_at AS dueAt, reason,
                maybe_sent AS maybeSent
         FROM delivery_retries WHERE session_id = ?`,
      )
      .all(sessionId);
    return new Map(
      rows.map((row) => [row.messageOutId, { ...row, maybeSent: row.maybeSent !== 0 }]),
    );
  }

  /** All that waits for a time after `now` waits less long. */
  advanceAll(now: string, byMs: number): void {
    this.#statements
      .prepare(
        `UPDATE delivery_retries SET due_at = strftime('%Y-%m-%dT%H:%M:%fZ', due_at, ?)
         WHERE due_at > ?`,
      )
      .run(`-${(byMs / 1_000).toFixed(3)} seconds`, now);
  }

  set(retry: Omit<DeliveryRetry, 'maybeSent'> & { readonly maybeSent?: boolean }): void {
    this.#statements
      .prepare(
        `INSERT INTO delivery_retries (session_id, message_out_id, attempts, due_at, reason, maybe_sent)
         VALUES (@sessionId, @messageOutId, @attempts, @dueAt, @reason, @maybeSent)
         ON CONFLICT (session_id, message_out_id) DO UPDATE SET
           attempts = @attempts, due_at = @dueAt, reason = @reason, maybe_sent = @maybeSent`,
      )
      .run({ ...retry, maybeSent: retry.maybeSent === true ? 1 : 0 });
  }

  clear(sessionId: string, messageOutId: string): void {
    this.#statements
      .prepare('DELETE FROM delivery_retries WHERE session_id = ? AND message_out_id = ?')
      .run(sessionId, messageOutId);
  }
}
