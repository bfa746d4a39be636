import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError, hasCode } from '../errors.js';
import { ifFromSqlite, type Db } from './sqlite.js';

/** A numbered SQL file, `0001-initial.sql`. Migrations go forward only; none is edited once released. */
export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file's bytes, in hex. */
  readonly checksum: string;
}

/** The migrations of a folder in order. Throws migration_refused when the numbers do not run 1, 2, 3, … */
export function readMigrations(folder: string): readonly Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort();
  return names.map((name, index) => {
    const id = Number(/^(\d{4})-/.exec(name)?.[1]);
    if (id !== index + 1) {
      throw new BerthError('migration_refused', `${join(folder, name)} is out of order.`, {
        next: `Number the files of ${folder} 0001, 0002, … without a gap.`,
      });
    }
    const sql = readFileSync(join(folder, name), 'utf8');
    return { id, name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
}

/** A database that keeps a ledger: which migrations were applied, when, and their checksums. */
export function listPending(db: Db, migrations: readonly Migration[]): readonly Migration[] {
  const hasLedger = db
    .prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'`)
    .get();
  if (hasLedger === undefined) return migrations;
  const applied = db
    .prepare<[], { id: number; name: string; checksum: string }>(
      'SELECT id, name, checksum FROM schema_migrations ORDER BY id',
    )
    .all();
  for (const [index, row] of applied.entries()) assertSame(row, index, migrations[index]);
  return migrations.slice(applied.length);
}

function assertSame(
  row: { id: number; name: string; checksum: string },
  index: number,
  migration: Migration | undefined,
): void {
  if (migration === undefined) {
    throw new BerthError(
      'migration_refused',
      `The database knows migration ${row.name}, this program does not.`,
      {
        next: 'Run the Berth version that wrote this database, or a newer one.',
      },
    );
  }
  if (row.id !== index + 1 || row.name !== migration.name) {
    throw new BerthError(
      'migration_refused',
      `Migration ${migration.name} was applied as ${row.name}.`,
      {
        next: 'Restore the migrations folder of the released version.',
      },
    );
  }
  if (row.checksum !== migration.checksum) {
    throw new BerthError(
      'migration_refused',
      `Migration ${row.name} was changed after it was applied.`,
      {
        next: `Restore the released ${row.name}, and put the change into a new migration.`,
      },
    );
  }
}

/**
 * Applies what is pending, one transaction each, and notes it in the ledger. Returns what was applied. Two programs may
 * do this at once: each transaction reads again what is still pending.
 */
export function migrateWithLedger(
  db: Db,
  migrations: readonly Migration[],
  appliedAt: string,
): readonly Migration[] {
  const applied: Migration[] = [];
  for (;;) {
    const migration = db.transaction(() => applyNext(db, migrations, appliedAt)).immediate();
    if (migration === undefined) return applied;
    applied.push(migration);
  }
}

function applyNext(
  db: Db,
  migrations: readonly Migration[],
  appliedAt: string,
): Migration | undefined {
  const [next] = listPending(db, migrations);
  if (next === undefined) return undefined;
  db.exec(
    `CREATE TABLE IF NOT EXISTS schema_migrations (
       id INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL)`,
  );
  db.exec(next.sql);
  db.prepare('INSERT INTO schema_migrations VALUES (?, ?, ?, ?)').run(
    next.id,
    next.name,
    next.checksum,
    appliedAt,
  );
  return next;
}

/** No later program is that far ahead: such a number is no version, but a damaged byte. */
const farAhead = 20;

/**
 * A mailbox keeps only a number, PRAGMA user_version, so that its tables are exactly the protocol's. Each migration is a
 * transaction of its own. Throws migration_refused for a file of a newer program, database_corrupt for one that is not
 * what its number says, and what SQLite fails with otherwise.
 */
export function migrateByVersion(db: Db, migrations: readonly Migration[]): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version === migrations.length) return;
  if (version < 0 || version > migrations.length + farAhead) {
    throw new BerthError('database_corrupt', `The mailbox claims to be of version ${version}.`, {
      facts: { path: db.name },
    });
  }
  if (version > migrations.length) {
    throw new BerthError(
      'migration_refused',
      `The mailbox is of version ${version}, this program knows ${migrations.length}.`,
      {
        next: 'Run the Berth version that wrote this mailbox, or a newer one.',
      },
    );
  }
  for (const migration of migrations.slice(version)) {
    try {
      db.transaction(() => {
        db.exec(migration.sql);
        db.pragma(`user_version = ${migration.id}`);
      }).immediate();
    } catch (error) {
      throw asMisfit(error, migration, db.name);
    }
  }
}

/** A mailbox that lacks what its version has, or has what is only made now, is not of the version that it claims. */
function asMisfit(error: unknown, { name }: Migration, path: string): unknown {
  const failure = ifFromSqlite(error, path);
  const isMisfit =
    hasCode(failure, 'internal') &&
    /^SQLITE_(ERROR|CONSTRAINT)/.test(String(failure.facts['sqlite']));
  if (!isMisfit) return failure;
  return new BerthError(
    'database_corrupt',
    `The mailbox does not take migration ${name}: ${failure.message}.`,
    { cause: error, facts: { path } },
  );
}
