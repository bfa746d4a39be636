import type { Db } from '../shared/base/sqlite/sqlite.js';

/**
 * Copies one row `count` times, and returns how many there are of it. `columns`: SQL for what differs, in which `n` is
 * the copy's number from 1 on; everything else is as in the row, also what later migrations may add.
 */
export function copyRow(
  db: Db,
  table: string,
  where: { readonly column: string; readonly value: string },
  count: number,
  columns: Readonly<Record<string, string>>,
): void {
  const names = db
    .prepare<[], string>(`SELECT name FROM pragma_table_info('${table}')`)
    .pluck()
    .all();
  const values = names.map((name) => columns[name] ?? `original.${name}`);
  db.prepare(
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
     INSERT INTO ${table} (${names.join(', ')})
     SELECT ${values.join(', ')} FROM numbers, ${table} AS original WHERE original.${where.column} = ?`,
  ).run(count, where.value);
}
