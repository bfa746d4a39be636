import type { Db } from '../../shared/base/sqlite.js';

/** A message that was given up. `in`: nobody answered it. `out`: it could not be delivered. */
export interface DeadLetter {
  readonly sessionId: string;
  readonly direction: 'in' | 'out';
  readonly messageId: string;
  readonly reason: string;
  readonly createdAt: string;
}

export class DeadLetterStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  insert(letter: DeadLetter): void {
    this.#db
      .prepare(
        `INSERT INTO dead_letters (session_id, direction, message_id, reason, created_at)
         VALUES (@sessionId, @direction, @messageId, @reason, @createdAt)
         ON CONFLICT (session_id, direction, message_id) DO UPDATE SET reason = @reason`,
      )
      .run(letter);
  }

  listForSession(sessionId: string): readonly DeadLetter[] {
    return this.#db
      .prepare<[string], DeadLetter>(
        `SELECT session_id AS sessionId, direction, message_id AS messageId, reason, created_at AS createdAt
         FROM dead_letters WHERE session_id = ? ORDER BY created_at`,
      )
      .all(sessionId);
  }

  count(): number {
    return Number(this.#db.prepare('SELECT count(*) FROM dead_letters').pluck().get());
  }
}
