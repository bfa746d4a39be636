/**
 * Reads what can still be read of a table in a damaged file: from both ends up to the damage, then row by row over the
 * gap between them. In slices, so that a large file does not hold up the thread.
 */
import type { Db } from '../../../../shared/base/sqlite/sqlite.js';

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

type Statement = ReturnType<typeof prepareRows>;

const sliceRows = 20;
/** A damaged page holds some dozens of rows, two hundred of the smallest; beyond that it is not worth the while. */
const longestGap = 10_000;
const mostInVain = 1_000;
/** How long others wait, in milliseconds. */
const sliceMs = 2;
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
  readonly #statements = new Map<string, Statement>();
  #sliceEndsAt = 0;
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
      await this.#pause();
    }
    return last;
  }

  /** What lies between two rowids, neither included; from the one that is known. */
  async tryEach(above: number, below: number): Promise<void> {
    const isAboveKnown = above > Number.MIN_SAFE_INTEGER;
    const isDownward = !isAboveKnown && below < Number.MAX_SAFE_INTEGER;
    const first = isDownward ? below - 1 : Math.max(above, 0) + 1;
    const step = isDownward ? -1 : 1;
    const most = Math.min(longestGap, isDownward ? first : below - first);
    let inVain = 0;
    for (let tried = 0; tried < most && inVain < mostInVain; tried += 1) {
      const rows = this.#attempt('rowid = ?', [first + step * tried], 1) ?? [];
      inVain = rows.length === 0 ? inVain + 1 : 0;
      for (const row of rows) this.#keep(row);
      await this.#pause();
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
    try {
      const key = `${condition} ${size}`;
      let statement = this.#statements.get(key);
      statement ??= prepareRows(this.#db, this.#request, `${condition} LIMIT ${size}`);
      this.#statements.set(key, statement);
      return statement.all(...bounds);
    } catch {
      return undefined;
    }
  }

  /** Others get their turn, when it is time. */
  async #pause(): Promise<void> {
    if (performance.now() < this.#sliceEndsAt) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#sliceEndsAt = performance.now() + sliceMs;
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

function prepareRows(db: Db, { table, columns, where }: SalvageRequest, condition: string) {
  return db.prepare<unknown[], Row>(
    `SELECT rowid, (${where}) AS isFit, ${columns} FROM ${table} NOT INDEXED WHERE ${condition}`,
  );
}
