import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';

/** Which one it is. */
export interface DeadLetterRef {
  readonly sessionId: string;
  readonly direction: 'in' | 'out';
  readonly messageId: string;
}

/** A message that was given up. `in`: nobody answered it. `out`: it could not be delivered. */
export interface DeadLetter extends DeadLetterRef {
  readonly reason: string;
  /** ISO-8601. */
  readonly createdAt: string;
  /** The message may have arrived all the same: the outcome of a send is not known. */
  readonly maybeSent: boolean;
}

export type NewDeadLetter = Omit<DeadLetter, 'maybeSent'> & { readonly maybeSent?: boolean };

export interface DeadLetterFilter {
  readonly sessionId?: string;
  readonly direction?: 'in' | 'out';
  /** ISO-8601: given up before that. */
  readonly before?: string;
}

type Row = Omit<DeadLetter, 'maybeSent'> & { readonly maybeSent: 0 | 1 };
type Bounds = Record<keyof DeadLetterFilter, string | null>;

const columns = `session_id AS sessionId, direction, message_id AS messageId, reason, created_at AS createdAt,
  maybe_sent AS maybeSent`;

const everything: Bounds = { sessionId: null, direction: null, before: null };

export class DeadLetterStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  /** A letter that is there keeps its time. */
  insert(letter: NewDeadLetter): void {
    this.#statements
      .prepare(
        `INSERT INTO dead_letters (session_id, direction, message_id, reason, created_at, maybe_sent)
         VALUES (@sessionId, @direction, @messageId, @reason, @createdAt, @maybeSent)
         ON CONFLICT (session_id, direction, message_id) DO UPDATE SET
           reason = @reason, maybe_sent = max(maybe_sent, @maybeSent)`,
      )
      .run({ ...letter, maybeSent: letter.maybeSent === true ? 1 : 0 });
  }

  find({ sessionId, direction, messageId }: DeadLetterRef): DeadLetter | undefined {
    const row = this.#statements
      .prepare<[string, string, string], Row>(
        `SELECT ${columns} FROM dead_letters WHERE session_id = ? AND direction = ? AND message_id = ?`,
      )
      .get(sessionId, direction, messageId);
    return row === undefined ? undefined : fromRow(row);
  }

  listForSession(sessionId: string): readonly DeadLetter[] {
    return this.#statements
      .prepare<[string], Row>(
        `SELECT ${columns} FROM dead_letters WHERE session_id = ? ORDER BY created_at`,
      )
      .all(sessionId)
      .map(fromRow);
  }

  /** Of one message, in every session; reads the whole table. */
  listForMessage(messageId: string): readonly DeadLetter[] {
    return this.#statements
      .prepare<[string], Row>(
        `SELECT ${columns} FROM dead_letters WHERE message_id = ? ORDER BY created_at`,
      )
      .all(messageId)
      .map(fromRow);
  }

  /** The newest first. */
  list(filter: DeadLetterFilter = {}): readonly DeadLetter[] {
    return this.#statements
      .prepare<[Bounds], Row>(
        `SELECT ${columns} FROM dead_letters
         WHERE session_id = coalesce(@sessionId, session_id) AND direction = coalesce(@direction, direction)
           AND (@before IS NULL OR created_at < @before)
         ORDER BY created_at DESC, session_id, message_id`,
      )
      .all({ ...everything, ...filter })
      .map(fromRow);
  }

  remove({ sessionId, direction, messageId }: DeadLetterRef): void {
    this.#statements
      .prepare('DELETE FROM dead_letters WHERE session_id = ? AND direction = ? AND message_id = ?')
      .run(sessionId, direction, messageId);
  }

  count(): number {
    return Number(this.#statements.pluck('SELECT count(*) FROM dead_letters').get());
  }
}

function fromRow(row: Row): DeadLetter {
  return { ...row, maybeSent: row.maybeSent !== 0 };
}
