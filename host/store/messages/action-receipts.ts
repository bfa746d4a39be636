import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';

/** The result of an action that an agent asked for. */
export interface ActionReceipt {
  readonly sessionId: string;
  /** The messages_out row that asked for it. */
  readonly messageOutId: string;
  /** The message that the agent was answering. */
  readonly inReplyTo: string | null;
  readonly action: string;
  /** JSON. */
  readonly outcome: string;
  readonly createdAt: string;
}

export class ActionReceiptStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  /** The outcome, as JSON; undefined where it was not noted. */
  findOutcome(sessionId: string, messageOutId: string): string | undefined {
    return this.#statements
      .pluck<[string, string], string>(
        'SELECT outcome FROM action_receipts WHERE session_id = ? AND message_out_id = ?',
      )
      .get(sessionId, messageOutId);
  }

  /** How many were asked for while one message was answered. */
  countForMessage(sessionId: string, inReplyTo: string | null): number {
    const count = this.#statements
      .pluck('SELECT count(*) FROM action_receipts WHERE session_id = ? AND in_reply_to IS ?')
      .get(sessionId, inReplyTo);
    return Number(count);
  }

  /** How many the session has asked for since the given time. */
  countSince(sessionId: string, since: string): number {
    const count = this.#statements
      .pluck('SELECT count(*) FROM action_receipts WHERE session_id = ? AND created_at > ?')
      .get(sessionId, since);
    return Number(count);
  }

  /** The first outcome counts. */
  insert(receipt: ActionReceipt): void {
    this.#statements
      .prepare(
        `INSERT INTO action_receipts (session_id, message_out_id, in_reply_to, action, outcome, created_at)
         VALUES (@sessionId, @messageOutId, @inReplyTo, @action, @outcome, @createdAt) ON CONFLICT DO NOTHING`,
      )
      .run(receipt);
  }

  /** Forgets what was noted before the given time, `limit` at the most. Returns how many. */
  prune(before: string, limit: number): number {
    return this.#statements
      .prepare(
        `DELETE FROM action_receipts WHERE rowid IN
           (SELECT rowid FROM action_receipts WHERE created_at < ? ORDER BY created_at LIMIT ?)`,
      )
      .run(before, limit).changes;
  }
}
