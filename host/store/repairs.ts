import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

export type MailboxFile = 'inbound.db' | 'outbound.db';

/**
 * `rollback-wanted`: only what an interrupted writer left is to be taken back. `set-aside`: the session is quarantined,
 * because the file could not be repaired.
 */
export type RepairAction =
  'wanted' | 'rollback-wanted' | 'rolled-back' | 'replaced' | 'not-needed' | 'set-aside';

/** A repair that was done to a file of a session, or is to be done. */
export interface Repair {
  readonly file: MailboxFile;
  readonly action: RepairAction;
  /** Why, and what came of it, for a person. */
  readonly detail: string;
  /** How often it was begun and failed. */
  readonly tries: number;
  readonly createdAt: string;
}

const isWanted = `action IN ('wanted', 'rollback-wanted')`;
const columns = 'file, action, detail, tries, created_at AS createdAt';

export class RepairStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  /** Wanting it twice changes nothing, but a whole repair is more than a rollback. Whether this is news. */
  want(
    sessionId: string,
    repair: Pick<Repair, 'file' | 'detail' | 'createdAt'> & {
      readonly action: 'wanted' | 'rollback-wanted';
    },
  ): boolean {
    const { changes } = this.#statements
      .prepare(
        `INSERT INTO repairs (session_id, file, action, detail, created_at)
         VALUES (@sessionId, @file, @action, @detail, @createdAt)
         ON CONFLICT (session_id, file) WHERE ${isWanted} DO UPDATE SET
           action = excluded.action, detail = excluded.detail
         WHERE action = 'rollback-wanted' AND excluded.action = 'wanted'`,
      )
      .run({ sessionId, ...repair });
    return changes > 0;
  }

  isWanted(sessionId: string): boolean {
    const found = this.#statements
      .prepare(`SELECT 1 FROM repairs WHERE session_id = ? AND ${isWanted} LIMIT 1`)
      .get(sessionId);
    return found !== undefined;
  }

  listWanted(sessionId: string): readonly Repair[] {
    return this.#statements
      .prepare<[string], Repair>(
        `SELECT ${columns} FROM repairs WHERE session_id = ? AND ${isWanted} ORDER BY file`,
      )
      .all(sessionId);
  }

  /** Sessions whose files are to be repaired. */
  listSessionsWanting(): readonly string[] {
    return this.#statements
      .pluck<[], string>(`SELECT DISTINCT session_id FROM repairs WHERE ${isWanted}`)
      .all();
  }

  /** Another try of what is wanted has failed. Returns how many have. */
  noteFailure(sessionId: string): number {
    this.#statements
      .prepare(`UPDATE repairs SET tries = tries + 1 WHERE session_id = ? AND ${isWanted}`)
      .run(sessionId);
    const tries = this.#statements
      .pluck(`SELECT max(tries) FROM repairs WHERE session_id = ? AND ${isWanted}`)
      .get(sessionId);
    return Number(tries ?? 0);
  }

  /** The repair that is wanted of a file has been done; that is noted also where nobody had wanted it. */
  settle(sessionId: string, done: Omit<Repair, 'tries'>): void {
    const row = { sessionId, ...done };
    const { changes } = this.#statements
      .prepare(
        `UPDATE repairs SET action = @action, detail = @detail
         WHERE session_id = @sessionId AND file = @file AND ${isWanted}`,
      )
      .run(row);
    if (changes > 0) return;
    this.#statements
      .prepare(
        `INSERT INTO repairs (session_id, file, action, detail, created_at)
         VALUES (@sessionId, @file, @action, @detail, @createdAt)`,
      )
      .run(row);
  }

  /** Nothing more will be done about what is wanted. */
  giveUp(sessionId: string): void {
    this.#statements
      .prepare(`UPDATE repairs SET action = 'set-aside' WHERE session_id = ? AND ${isWanted}`)
      .run(sessionId);
  }

  /** How often a file of the session was replaced since then. */
  countReplaced(sessionId: string, since: string): number {
    const count = this.#statements
      .pluck(
        `SELECT count(*) FROM repairs WHERE session_id = ? AND action = 'replaced' AND created_at >= ?`,
      )
      .get(sessionId, since);
    return Number(count);
  }

  /** Forgets what was done before the given time, `limit` at the most. Returns how many. */
  prune(before: string, limit: number): number {
    return this.#statements
      .prepare(
        `DELETE FROM repairs WHERE id IN
           (SELECT id FROM repairs WHERE created_at < ? AND NOT (${isWanted}) ORDER BY created_at LIMIT ?)`,
      )
      .run(before, limit).changes;
  }

  /** The newest first. */
  listForSession(sessionId: string, limit: number): readonly Repair[] {
    return this.#statements
      .prepare<[string, number], Repair>(
        `SELECT ${columns} FROM repairs WHERE session_id = ? ORDER BY id DESC LIMIT ?`,
      )
      .all(sessionId, limit);
  }
}
