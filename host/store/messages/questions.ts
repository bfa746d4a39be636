import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';
import type { Address } from '../../../shared/protocol/session-message.js';

/** A question that waits for a person. */
export interface Question {
  readonly id: string;
  /** The session that asks. */
  readonly sessionId: string;
  /** The messages_out row that asks. */
  readonly messageOutId: string;
  readonly address: Address;
  readonly text: string;
  /** Labels, in the order of their numbers. */
  readonly options: readonly string[];
  /** Whether any text is an answer. */
  readonly freeText: boolean;
  /** The person who may answer, by the platform's id; null: anybody in the chat. */
  readonly askedUser: string | null;
  /** ISO-8601. */
  readonly expiresAt: string;
  readonly createdAt: string;
}

/** Why a question ends without an answer. */
export type QuestionEnd = 'expired' | 'withdrawn';

/** The claim of a message that answers, by its platform's id. */
export function messageClaim(platformMessageId: string): string {
  return `message ${platformMessageId}`;
}

/** `claimedBy`: `message <platform id>`, or a QuestionEnd; null: it is open. */
export type StoredQuestion = Question & {
  readonly claimedBy: string | null;
  /** ISO-8601; null: it waits to be said. */
  readonly saidAt: string | null;
};

type Row = Omit<StoredQuestion, 'address' | 'options' | 'freeText'> &
  Address & { readonly options: string; readonly freeText: number };

const columns = `question_id AS id, session_id AS sessionId, message_out_id AS messageOutId,
  channel_type AS channelType, platform_id AS platformId, thread_id AS threadId, question AS text, options,
  free_text AS freeText, asked_user AS askedUser, expires_at AS expiresAt, created_at AS createdAt,
  claimed_by AS claimedBy, said_at AS saidAt`;

/** Table pending_questions. A question that has ended has no row. */
export class QuestionStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  find(id: string): StoredQuestion | undefined {
    const row = this.#statements
      .prepare<[string], Row>(`SELECT ${columns} FROM pending_questions WHERE question_id = ?`)
      .get(id);
    return row === undefined ? undefined : parse(row);
  }

  /** The latest first. */
  listForChat(channelType: string, platformId: string): readonly StoredQuestion[] {
    return this.#statements
      .prepare<[string, string], Row>(
        `SELECT ${columns} FROM pending_questions WHERE channel_type = ? AND platform_id = ?
         ORDER BY created_at DESC, question_id DESC`,
      )
      .all(channelType, platformId)
      .map(parse);
  }

  /** The first one first. */
  listForSession(sessionId: string): readonly StoredQuestion[] {
    return this.#statements
      .prepare<[string], Row>(
        `SELECT ${columns} FROM pending_questions WHERE session_id = ? ORDER BY created_at, question_id`,
      )
      .all(sessionId)
      .map(parse);
  }

  /** The first one counts. */
  insert({ address, options, freeText, ...question }: Question): void {
    this.#statements
      .prepare(
        `INSERT INTO pending_questions (question_id, session_id, message_out_id, channel_type, platform_id,
           thread_id, question, options, free_text, asked_user, expires_at, created_at)
         VALUES (@id, @sessionId, @messageOutId, @channelType, @platformId, @threadId, @text, @options,
           @freeText, @askedUser, @expiresAt, @createdAt) ON CONFLICT DO NOTHING`,
      )
      .run({
        ...question,
        ...address,
        options: JSON.stringify(options),
        freeText: freeText ? 1 : 0,
      });
  }

  /** It is in its chat now. The first time counts. */
  noteSaid(id: string, at: string): void {
    this.#statements
      .prepare('UPDATE pending_questions SET said_at = ? WHERE question_id = ? AND said_at IS NULL')
      .run(at, id);
  }

  /** False where something else has claimed it. Claiming it twice for the same does no harm. */
  claim(id: string, claimedBy: string): boolean {
    const { changes } = this.#statements
      .prepare(
        `UPDATE pending_questions SET claimed_by = @claimedBy
         WHERE question_id = @id AND coalesce(claimed_by, @claimedBy) = @claimedBy`,
      )
      .run({ id, claimedBy });
    return changes > 0;
  }

  /** Takes a claim back that came to nothing. */
  unclaim(id: string, claimedBy: string): void {
    this.#statements
      .prepare(
        'UPDATE pending_questions SET claimed_by = NULL WHERE question_id = ? AND claimed_by = ?',
      )
      .run(id, claimedBy);
  }

  delete(id: string): void {
    this.#statements.prepare('DELETE FROM pending_questions WHERE question_id = ?').run(id);
  }
}

function parse({
  channelType,
  platformId,
  threadId,
  options,
  freeText,
  ...row
}: Row): StoredQuestion {
  return {
    ...row,
    address: { channelType, platformId, threadId },
    options: JSON.parse(options) as readonly string[],
    freeText: freeText === 1,
  };
}
