import type { Db } from '../../shared/base/sqlite.js';

/**
 * `wake`: inbound rows wait to be run. `deliver`: outbound rows wait to be sent. `idle`, `stuck`: the container is to be
 * looked at, because it may have nothing to do, or may hang. `prune`: old rows and files may be taken away.
 */
export type DueKind = 'wake' | 'deliver' | 'idle' | 'stuck' | 'prune';

export interface DueItem {
  readonly sessionId: string;
  readonly kind: DueKind;
  /** ISO-8601. */
  readonly dueAt: string;
  /** How often it has failed in a row. */
  readonly attempts: number;
}

const columns = 'session_id AS sessionId, kind, due_at AS dueAt, attempts';

/** Which sessions need a look and from when on: how work is found without looking into every session. */
export class DueItemStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  find(sessionId: string, kind: DueKind): DueItem | undefined {
    return this.#db
      .prepare<[string, string], DueItem>(
        `SELECT ${columns} FROM due_items WHERE session_id = ? AND kind = ?`,
      )
      .get(sessionId, kind);
  }

  /** Due at the given time or earlier, the longest waiting first. */
  listDue(now: string, limit: number): readonly DueItem[] {
    return this.#db
      .prepare<[string, number], DueItem>(
        `SELECT ${columns} FROM due_items WHERE due_at <= ? ORDER BY due_at LIMIT ?`,
      )
      .all(now, limit);
  }

  countDue(now: string): number {
    const count = this.#db
      .prepare('SELECT count(*) FROM due_items WHERE due_at <= ?')
      .pluck()
      .get(now);
    return Number(count);
  }

  /** The earliest time after the given one, if anything is planned. */
  findNextAfter(now: string): string | undefined {
    const next = this.#db
      .prepare<[string], string | null>('SELECT min(due_at) FROM due_items WHERE due_at > ?')
      .pluck()
      .get(now);
    return next ?? undefined;
  }

  /** Something new has come: due at the given time unless it was due earlier, or is put off after failures. */
  advance(sessionId: string, kind: DueKind, dueAt: string): void {
    this.#db
      .prepare(
        `INSERT INTO due_items (session_id, kind, due_at) VALUES (?, ?, ?)
         ON CONFLICT (session_id, kind) DO UPDATE SET due_at = min(due_at, excluded.due_at)
         WHERE attempts = 0`,
      )
      .run(sessionId, kind, dueAt);
  }

  set(item: DueItem): void {
    this.#db
      .prepare(
        `INSERT INTO due_items (session_id, kind, due_at, attempts) VALUES (@sessionId, @kind, @dueAt, @attempts)
         ON CONFLICT (session_id, kind) DO UPDATE SET due_at = @dueAt, attempts = @attempts`,
      )
      .run(item);
  }

  clear(sessionId: string, kind: DueKind): void {
    this.#db
      .prepare('DELETE FROM due_items WHERE session_id = ? AND kind = ?')
      .run(sessionId, kind);
  }
}
