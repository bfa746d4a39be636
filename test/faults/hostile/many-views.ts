import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { replaceOutbound } from './attempt.js';

const views = 200_000;

/** Adds 200,000 views to outbound.db, which SQLite compiles each time that the file is opened. */
export function addManyViews(outDir: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'berth-views-'));
  try {
    const draft = join(folder, 'db');
    const path = join(outDir, 'outbound.db');
    if (existsSync(path)) copyFileSync(path, draft);
    withDatabase(draft, { mode: 'create', busyTimeoutMs: 1_000 }, (db) => {
      db.unsafeMode();
      db.pragma('writable_schema = ON');
      db.prepare(
        `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
         INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
         SELECT 'view', 'v' || n, 'v' || n, 0, 'CREATE VIEW v' || n || ' AS SELECT 1' FROM numbers`,
      ).run(views);
    });
    replaceOutbound(outDir, readFileSync(draft));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
