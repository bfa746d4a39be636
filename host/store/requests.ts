import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

/** A command asks this of the daemon. */
export interface Request {
  readonly id: string;
  readonly kind: string;
  /** JSON. */
  readonly payload: string;
  readonly status: 'pending' | 'done' | 'failed';
  /** JSON; null while it is pending. Of a failed one: `{ "code"?: …, "message": …, "next"?: … }`. */
  readonly outcome: string | null;
  readonly createdAt: string;
}

const columns = 'id, kind, payload, status, outcome, created_at AS createdAt';

export class RequestStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  insert(request: Pick<Request, 'id' | 'kind' | 'payload' | 'createdAt'>): void {
    this.#statements
      .prepare(
        `INSERT INTO requests (id, kind, payload, created_at) VALUES (@id, @kind, @payload, @createdAt)`,
      )
      .run(request);
  }

  find(id: string): Request | undefined {
    return this.#statements
      .prepare<[string], Request>(`SELECT ${columns} FROM requests WHERE id = ?`)
      .get(id);
  }

  /** In the order they were made. */
  listPending(): readonly Request[] {
    return this.#statements
      .prepare<[], Request>(
        `SELECT ${columns} FROM requests WHERE status = 'pending' ORDER BY created_at, id`,
      )
      .all();
  }

  settle(id: string, status: 'done' | 'failed', outcome: string): void {
    this.#statements
      .prepare('UPDATE requests SET status = ?, outcome = ? WHERE id = ?')
      .run(status, outcome, id);
  }

  /** Forgets what was settled and made before the given time, `limit` at the most. Returns how many. */
  prune(before: string, limit: number): number {
    return this.#statements
      .prepare(
        `DELETE FROM requests WHERE rowid IN
           (SELECT rowid FROM requests WHERE status <> 'pending' AND created_at < ? ORDER BY created_at LIMIT ?)`,
      )
      .run(before, limit).changes;
  }
}
