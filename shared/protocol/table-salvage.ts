/**
 * Reads what can still be read of a table in a damaged file: from both ends up to the damage, then row by row over the
 * gap between them. In slices, so that a large file does not hold up the thread.
 */
import type { Db } from '../base/sqlite.js';

export interface SalvageRequest {
  readonly table: string;
  /** Expressions of the columns, as after SELECT. */
  readonly columns: string;
  /** Rows that are worth having; a condition of SQL. */
  readonly where: string;
  /** An index over all rows: a damaged tree can hide some without a sign, but hardly the same in both. */
  readonly index?: string;
}

export interface Salvage {
  readonly count: number;
  /** Every row could be read, and all of them were worth it. */
  readonly isComplete: boolean;
}

type Row = Readonly<Record<string, unknown>>;

const sliceRows = 20;
/** A damaged page holds some dozens of rows; beyond that it is not worth the while. */
const longestGap = 10_000;
const longestTable = 2_000_000;

/** `take` gets each row as an object of the named columns. Never throws for what cannot be read. */
export async function salvageTable(
  db: Db,
  request: SalvageRequest,
  take: (row: Row) => void,
): Promise<Salvage> {
  const walk = new Walk(db, request, take);
  const above = await walk.run('up', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (above === 'end') {
    const isComplete = walk.unfit === 0 && walk.agreesWithIndex();
    return { count: walk.count, isComplete };
  }
  const below = await walk.run('down', Number.MAX_SAFE_INTEGER, above);
  if (typeof below === 'number') await walk.tryEach(above, below);
  return { count: walk.count, isComplete: false };
}

class Walk {
  readonly #db: Db;
  readonly #request: SalvageRequest;
  readonly #take: (row: Row) => void;
  count = 0;
  unfit = 0;

  constructor(db: Db, request: SalvageRequest, take: (row: Row) => void) {
    this.#db = db;
    this.#request = request;
    this.#take = take;
  }

  /** From a rowid on, in one direction, not beyond `limit`. Returns 'end', or the last rowid before what cannot be read. */
  async run(direction: 'up' | 'down', from: number, limit: number): Promise<number | 'end'> {
    let last = from;
    let size = sliceRows;
    while (this.count + this.unfit < longestTable) {
      const rows = this.#read(direction, last, limit, size);
      if (rows === undefined) {
        if (size === 1) return last;
        size = 1;
        continue;
      }
      for (const row of rows) {
        const rowid = Number(row['rowid']);
        // In a damaged tree a row may lead back to where we were.
        if (direction === 'up' ? rowid <= last : rowid >= last) return last;
        last = rowid;
        this.#keep(row);
      }
      if (rows.length < size) return 'end';
      await new Promise((resolve) => setImmediate(resolve));
    }
    return last;
  }

  /** What lies between two rowids, neither included. */
  async tryEach(above: number, below: number): Promise<void> {
    const first = Math.max(above, 0) + 1;
    const end = Math.min(below, first + longestGap);
    for (let rowid = first; rowid < end; rowid += 1) {
      for (const row of this.#attempt('rowid = ?', [rowid], 1) ?? []) this.#keep(row);
      if (rowid % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  agreesWithIndex(): boolean {
    const { table, index } = this.#request;
    if (index === undefined) return true;
    try {
      const found = this.#db.prepare(`SELECT count(*) FROM ${table} INDEXED BY ${index}`).pluck();
      return found.get() === this.count + this.unfit;
    } catch {
      return false;
    }
  }

  #read(
    direction: 'up' | 'down',
    last: number,
    limit: number,
    size: number,
  ): readonly Row[] | undefined {
    return direction === 'up'
      ? this.#attempt('rowid > ? AND rowid < ? ORDER BY rowid', [last, limit], size)
      : this.#attempt('rowid < ? AND rowid > ? ORDER BY rowid DESC', [last, limit], size);
  }

  #attempt(condition: string, bounds: readonly number[], size: number): readonly Row[] | undefined {
    const { table, columns, where } = this.#request;
    try {
      return this.#db
        .prepare<unknown[], Row>(
          `SELECT rowid, (${where}) AS isFit, ${columns} FROM ${table} NOT INDEXED WHERE ${condition} LIMIT ${size}`,
        )
        .all(...bounds);
    } catch {
      return undefined;
    }
  }

  #keep(row: Row): void {
    if (row['isFit'] === 1) {
      this.count += 1;
      this.#take(row);
    } else {
      this.unfit += 1;
    }
  }
}
