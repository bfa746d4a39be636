import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

/** Every kind of due work, and what is so when its time has come, for a person. */
export const dueKinds = {
  wake: 'messages wait for the agent',
  deliver: 'replies wait to be sent',
  idle: 'its container may have nothing to do',
  stuck: 'its container may hang',
  question: 'a question that nobody has answered ends',
  prune: 'old rows and files may be taken away',
} as const;

export type DueKind = keyof typeof dueKinds;

/** Kinds that wait in one line. However much there is to prune, it must not hide a message that waits. */
export type SharedDueKind = Exclude<DueKind, 'prune'>;

export interface DueItem<K extends DueKind = DueKind> {
  readonly sessionId: string;
  readonly kind: K;
  /** ISO-8601. */
  readonly dueAt: string;
  /** How often it has failed in a row. */
  readonly attempts: number;
}

const columns = 'session_id AS sessionId, kind, due_at AS dueAt, attempts';

/** A kind that another version has left is nothing that this one could do. */
const isKnown = `kind IN (${Object.keys(dueKinds)
  .map((kind) => `'${kind}'`)
  .join(', ')})`;

/** The first half is the condition of the index over due times. */
const isShared = `kind <> 'prune' AND ${isKnown}`;

/** Says which sessions need a pass and from when on: work is found without reading every session. */
export class DueItemStore {
  readonly #statements: StatementCache;
  #tell: (dueAt: string) => void = () => undefined;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  find(sessionId: string, kind: DueKind): DueItem | undefined {
    return this.#statements
      .prepare<[string, string], DueItem>(
        `SELECT ${columns} FROM due_items WHERE session_id = ? AND kind = ?`,
      )
      .get(sessionId, kind);
  }

  /** Of one session, of every kind. */
  listForSession(sessionId: string): readonly DueItem[] {
    return this.#statements
      .prepare<[string], DueItem>(
        `SELECT ${columns} FROM due_items WHERE session_id = ? AND ${isKnown} ORDER BY due_at, kind`,
      )
      .all(sessionId);
  }

  /** Due at the given time or earlier, the longest waiting first; without 'prune', which waits in a line of its own. */
  listDue(now: string, limit: number): readonly DueItem<SharedDueKind>[] {
    return this.#statements
      .prepare<[string, number], DueItem<SharedDueKind>>(
        `SELECT ${columns} FROM due_items WHERE due_at <= ? AND ${isShared} ORDER BY due_at LIMIT ?`,
      )
      .all(now, limit);
  }

  /** Sessions that are due to be pruned, the longest waiting first. */
  listDuePrunes(now: string, limit: number): readonly string[] {
    return this.#statements
      .pluck<[string, number], string>(
        `SELECT session_id FROM due_items WHERE due_at <= ? AND kind = 'prune' ORDER BY due_at LIMIT ?`,
      )
      .all(now, limit);
  }

  /**
   * Lists one page of what is due, without 'prune', in the order of due time; `after` is the last one of the page
   * before.
   */
  listDuePage(
    after: Pick<DueItem, 'dueAt' | 'sessionId' | 'kind'> | { readonly dueAt: string },
    now: string,
    limit: number,
  ): readonly DueItem<SharedDueKind>[] {
    return this.#statements
      .prepare<[Record<string, string | number>], DueItem<SharedDueKind>>(
        `SELECT ${columns} FROM due_items
         WHERE ${isShared} AND due_at <= @now AND (due_at, session_id, kind) > (@dueAt, @sessionId, @kind)
         ORDER BY due_at, session_id, kind LIMIT @limit`,
      )
      .all({ sessionId: '', kind: '', ...after, now, limit });
  }

  /** Likewise without 'prune'. */
  countDue(now: string): number {
    const count = this.#statements
      .pluck(`SELECT count(*) FROM due_items WHERE due_at <= ? AND ${isShared}`)
      .get(now);
    return Number(count);
  }

  /** The earliest time after the given one, if anything is planned. */
  findNextAfter(now: string): string | undefined {
    const next = this.#statements
      .pluck<[string], string | null>(
        `SELECT min(due_at) FROM due_items WHERE due_at > ? AND ${isShared}`,
      )
      .get(now);
    return next ?? undefined;
  }

  /** Something new has come: due at the given time unless it was due earlier, or is put off after failures. */
  advance(sessionId: string, kind: DueKind, dueAt: string): void {
    this.#statements
      .prepare(
        `INSERT INTO due_items (session_id, kind, due_at) VALUES (?, ?, ?)
         ON CONFLICT (session_id, kind) DO UPDATE SET due_at = min(due_at, excluded.due_at)
         WHERE attempts = 0`,
      )
      .run(sessionId, kind, dueAt);
    this.#noteWrite(kind, dueAt);
  }

  set(item: DueItem): void {
    this.#statements
      .prepare(
        `INSERT INTO due_items (session_id, kind, due_at, attempts) VALUES (@sessionId, @kind, @dueAt, @attempts)
         ON CONFLICT (session_id, kind) DO UPDATE SET due_at = @dueAt, attempts = @attempts`,
      )
      .run(item);
    this.#noteWrite(item.kind, item.dueAt);
  }

  /** Prunes that are planned for after `late` are due now. */
  advancePrunes(now: string, late: string): void {
    this.#statements
      .prepare(`UPDATE due_items SET due_at = @now WHERE kind = 'prune' AND due_at > @late`)
      .run({ now, late });
  }

  /**
   * Items that are due in the time that is given are checked now. A session that waits to be run is only checked by
   * those who deliver for it: they know from its files what it waits for.
   */
  checkAgain(now: string, until: string): void {
    this.#statements
      .prepare(
        `UPDATE due_items SET due_at = @now
         WHERE due_at > @now AND due_at <= @until AND kind <> 'prune' AND (kind <> 'wake' OR attempts > 0)`,
      )
      .run({ now, until });
    this.#statements
      .prepare(
        `INSERT INTO due_items (session_id, kind, due_at)
         SELECT session_id, 'deliver', @now FROM due_items
         WHERE kind = 'wake' AND due_at > @now
         ON CONFLICT (session_id, kind) DO UPDATE SET due_at = @now`,
      )
      .run({ now });
    this.#noteWrite('deliver', now);
  }

  /**
   * Calls `listener` for each due time that this process writes from now on, in ISO-8601, without those of 'prune'. A
   * new listener replaces the one before it: there is one timer. The call is a hint and comes before the end of the
   * transaction that writes, so the listener reads nothing and never throws.
   */
  watch(listener: (dueAt: string) => void): void {
    this.#tell = listener;
  }

  clear(sessionId: string, kind: DueKind): void {
    this.#statements
      .prepare('DELETE FROM due_items WHERE session_id = ? AND kind = ?')
      .run(sessionId, kind);
  }

  #noteWrite(kind: DueKind, dueAt: string): void {
    if (kind !== 'prune') this.#tell(dueAt);
  }
}
