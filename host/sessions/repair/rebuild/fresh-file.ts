/**
 * Makes a fresh file out of a private copy of a damaged one, in a reader process: rows in their order, up to the first one
 * that cannot be read.
 */
import { hasCode } from '../../../../shared/base/errors.js';
import { migrateByVersion, type Migration } from '../../../../shared/base/sqlite/migrate.js';
import {
  fromSqlite,
  inTransaction,
  withDatabase,
  type Db,
} from '../../../../shared/base/sqlite/sqlite.js';
import { maxContentBytes } from '../../../../shared/protocol/limits.js';

export interface RebuildRequest {
  /** A private copy of the damaged file; null: there is none. */
  readonly copy: string | null;
  /** Where the fresh file is made. */
  readonly draft: string;
  readonly migrations: readonly Migration[];
}

export interface Salvage {
  /** The draft is the file itself, without what a killed writer had begun: whatever else is wrong with it is found anew. */
  readonly isRolledBack: boolean;
  /** How many messages were copied. */
  readonly messageCount: number;
  /** How many rows were left out because they are no messages. */
  readonly malformedCount: number;
  /** Of outbound.db: a message without an ack there was not acked. Of inbound.db: a reply that is not in `delivered` was not sent. */
  readonly hasAllOutcomes: boolean;
  /** Every row of the damaged file could be read, and fits. */
  readonly isComplete: boolean;
}

const nothing: Salvage = {
  isRolledBack: false,
  messageCount: 0,
  malformedCount: 0,
  hasAllOutcomes: false,
  isComplete: false,
};

/** `copyRows` may throw: then nothing is taken from the damaged file. Throws where the disk or the system is short. */
export function rebuildFile(
  { copy, draft, migrations }: RebuildRequest,
  mode: 'read' | 'write',
  copyRows: (damaged: Db, fresh: Db) => Salvage,
): Salvage {
  return withDatabase(draft, { mode: 'create', busyTimeoutMs: 0 }, (fresh) => {
    // The host brings it to disk.
    fresh.pragma('synchronous = OFF');
    migrateByVersion(fresh, migrations);
    if (copy === null) return nothing;
    try {
      return inTransaction(fresh, () =>
        withDatabase(copy, { mode, busyTimeoutMs: 0 }, (damaged) => copyRows(damaged, fresh)),
      );
    } catch (error) {
      assertNoShortage(error, draft);
      return nothing;
    }
  });
}

/** Throws what says nothing about a file. */
export function assertNoShortage(error: unknown, path: string): void {
  const failure = fromSqlite(error, path);
  if (hasCode(failure, 'disk_full', 'resources_short')) throw failure;
}

type Row = Readonly<Record<string, unknown>>;

export interface CopiedTable {
  readonly count: number;
  /** How many `isWanted` refused. */
  readonly refusedCount: number;
  /** Every row could be read, and fits. */
  readonly isComplete: boolean;
}

/**
 * Copies the rows that fit: what stands in them is read as what the fresh table holds, and `where` is a condition of SQL.
 * `isWanted` gets each of them.
 */
export function copyTable(
  damaged: Db,
  fresh: Db,
  table: string,
  where: string,
  isWanted: (row: Row) => boolean = () => true,
): CopiedTable {
  const columns = fresh.pragma(`table_info(${table})`) as readonly ColumnInfo[];
  const names = columns.map(({ name }) => name).join(', ');
  const values = columns.map(({ name }) => `@${name}`).join(', ');
  const insert = fresh.prepare(`INSERT OR IGNORE INTO ${table} (${names}) VALUES (${values})`);
  const select = `SELECT rowid AS place, (${where}) AS fits, ${columns.map(readColumn).join(', ')}
    FROM ${table} NOT INDEXED`;
  let count = 0;
  let refusedCount = 0;
  let isComplete = false;
  try {
    let last = -Infinity;
    for (const row of damaged.prepare<[], Row>(select).iterate()) {
      const place = Number(row['place']);
      // In a damaged tree the way may lead back, and never end.
      if (place <= last) return { count, refusedCount, isComplete };
      last = place;
      if (row['fits'] !== 1) continue;
      if (isWanted(row)) count += insert.run(row).changes;
      else refusedCount += 1;
    }
    isComplete = countAll(damaged, fresh, table) === count + refusedCount;
  } catch (error) {
    assertNoShortage(error, fresh.name);
  }
  return { count, refusedCount, isComplete };
}

/** Source: sqlite.org/pragma.html#pragma_table_info. */
interface ColumnInfo {
  readonly name: string;
  readonly type: string;
  readonly notnull: 0 | 1;
}

/** octet_length reads a value's header only, so that a huge value is never read. */
function readColumn({ name, type, notnull }: ColumnInfo): string {
  if (type === 'INTEGER')
    return `CASE WHEN typeof(${name}) = 'integer' THEN ${name} END AS ${name}`;
  const text = `CASE WHEN octet_length(${name}) <= ${maxContentBytes} THEN CAST(${name} AS TEXT) END`;
  return `${notnull === 1 ? `coalesce(${text}, '')` : text} AS ${name}`;
}

/** By an index over all rows: a damaged tree can hide some without a sign, but hardly the same in both. */
function countAll(damaged: Db, fresh: Db, table: string): unknown {
  const index = fresh
    .prepare(`SELECT name FROM pragma_index_list(?) WHERE origin <> 'c' LIMIT 1`)
    .pluck()
    .get(table);
  const by = typeof index === 'string' ? `INDEXED BY ${index}` : 'NOT INDEXED';
  return damaged.prepare(`SELECT count(*) FROM ${table} ${by}`).pluck().get();
}
