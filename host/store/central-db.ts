/** Opens central.db: backs it up, migrates it, or says why it cannot be used and where the backup lies. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isoAt } from '../../shared/base/clock.js';
import { BerthError, hasCode } from '../../shared/base/errors.js';
import { listPending, migrateWithLedger, readMigrations } from '../../shared/base/migrate.js';
import { closeToOthers, makePrivately } from '../../shared/base/private-file.js';
import { fromSqlite, openDatabase, type Db } from '../../shared/base/sqlite.js';
import { Store } from './store.js';

export interface CentralDbPaths {
  readonly centralDb: string;
  readonly backupsDir: string;
  readonly migrationsDir: string;
}

/** How long a command waits for the daemon's transaction, or the other way round, in milliseconds. */
const busyTimeoutMs = 2_000;
const keptBackups = 7;
const backupEveryMs = 24 * 60 * 60 * 1_000;

export interface OpenedStore {
  readonly store: Store;
  /** Names of the migrations that were applied just now. */
  readonly applied: readonly string[];
  /** The backup that was made before them, if there was anything to back up. */
  readonly backup: string | undefined;
}

/** Opens and migrates. Throws what openDatabase throws, with the newest backup named, or migration_refused. */
export function openStore(paths: CentralDbPaths, nowMs: number): OpenedStore {
  mkdirSync(dirname(paths.centralDb), { recursive: true, mode: 0o700 });
  closeToOthers(dirname(paths.centralDb));
  const existed = existsSync(paths.centralDb);
  if (!existed) assertNeverUsed(paths);
  makePrivately(paths.centralDb);
  closeToOthers(paths.centralDb);
  const db = openCentral(paths);
  try {
    const migrations = readMigrations(join(paths.migrationsDir, 'central'));
    const pending = listPending(db, migrations);
    const backup = existed && pending.length > 0 ? backUp(db, paths.backupsDir, nowMs) : undefined;
    const applied = migrateWithLedger(db, migrations, isoAt(nowMs)).map(({ name }) => name);
    return { store: new Store(db), applied, backup };
  } catch (error) {
    db.close();
    throw withBackupNamed(fromSqlite(error, paths.centralDb), paths.backupsDir);
  }
}

/** A database that is gone is not made anew in silence: it knows what every session is for. */
function assertNeverUsed({ centralDb, backupsDir }: CentralDbPaths): void {
  const newest = findNewestBackup(backupsDir);
  if (newest === undefined) return;
  throw new BerthError('database_missing', `${centralDb} is gone, and there are backups of it.`, {
    next: `Copy the newest one in its place: ${join(backupsDir, newest)}. To begin afresh, move the backups away.`,
    facts: { path: centralDb },
  });
}

/**
 * Opens for reading only; where there is no database yet, an empty one in memory. Throws what openDatabase throws,
 * with the newest backup named, or migration_refused when it is not of this program's version.
 */
export function openStoreToRead(paths: CentralDbPaths): Store {
  const migrations = readMigrations(join(paths.migrationsDir, 'central'));
  if (!existsSync(paths.centralDb)) {
    const db = openDatabase(':memory:', { mode: 'create', busyTimeoutMs: 0 });
    migrateWithLedger(db, migrations, isoAt(0));
    return new Store(db);
  }
  return readingCentral(paths, (db) => {
    if (listPending(db, migrations).length === 0) return new Store(db);
    throw new BerthError('migration_refused', 'The central database is of an older version.', {
      next: 'Bring it up to date with `berth migrate`, or with `berth restart` where a daemon runs.',
    });
  });
}

/** Names of the migrations that would be applied. Changes nothing. */
export function listPendingMigrations(paths: CentralDbPaths): readonly string[] {
  const migrations = readMigrations(join(paths.migrationsDir, 'central'));
  if (!existsSync(paths.centralDb)) return migrations.map(({ name }) => name);
  return readingCentral(paths, (db) => {
    const pending = listPending(db, migrations).map(({ name }) => name);
    db.close();
    return pending;
  });
}

/** The one who uses it closes it; it is closed here when using it fails. */
function readingCentral<T>(paths: CentralDbPaths, use: (db: Db) => T): T {
  let db: Db | undefined;
  try {
    db = openDatabase(paths.centralDb, { mode: 'read', busyTimeoutMs });
    return use(db);
  } catch (error) {
    db?.close();
    throw withBackupNamed(fromSqlite(error, paths.centralDb), paths.backupsDir);
  }
}

/** Makes a backup when the newest one is older than a day. Returns its path, if one was made. */
export function backUpDaily(paths: CentralDbPaths, nowMs: number): string | undefined {
  const newest = findNewestBackup(paths.backupsDir);
  if (newest !== undefined && newest >= backupName(nowMs - backupEveryMs)) return undefined;
  const db = openCentral(paths);
  try {
    return backUp(db, paths.backupsDir, nowMs);
  } finally {
    db.close();
  }
}

function openCentral(paths: CentralDbPaths): Db {
  try {
    const db = openDatabase(paths.centralDb, { mode: 'create', busyTimeoutMs, journal: 'wal' });
    // Reads the schema: a damaged file shows here and not in the middle of a message.
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return db;
  } catch (error) {
    throw withBackupNamed(fromSqlite(error, paths.centralDb), paths.backupsDir);
  }
}

function backUp(db: Db, backupsDir: string, nowMs: number): string {
  mkdirSync(backupsDir, { recursive: true, mode: 0o700 });
  const path = join(backupsDir, backupName(nowMs));
  // Under another name until it is whole: the newest backup is what a person is told to go back to.
  const draft = join(backupsDir, 'unfinished');
  rmSync(draft, { force: true });
  // SQLite fills an empty file as well, and leaves its mode.
  makePrivately(draft);
  db.prepare('VACUUM INTO ?').run(draft);
  renameSync(draft, path);
  for (const name of listBackups(backupsDir).slice(0, -keptBackups)) {
    rmSync(join(backupsDir, name), { force: true });
  }
  return path;
}

/** Sorts by time. */
function backupName(nowMs: number): string {
  return `central-${isoAt(nowMs).replaceAll(':', '-')}.db`;
}

function listBackups(backupsDir: string): readonly string[] {
  if (!existsSync(backupsDir)) return [];
  return readdirSync(backupsDir)
    .filter((name) => name.startsWith('central-') && name.endsWith('.db'))
    .sort();
}

function findNewestBackup(backupsDir: string): string | undefined {
  return listBackups(backupsDir).at(-1);
}

function withBackupNamed(error: BerthError, backupsDir: string): BerthError {
  if (!hasCode(error, 'database_corrupt', 'database_unreadable')) return error;
  const newest = findNewestBackup(backupsDir);
  const next =
    newest === undefined
      ? 'There is no backup yet. Move the file away to begin afresh, or repair it with `sqlite3 FILE .recover`.'
      : `Stop the daemon, move the file away, and copy the newest backup in its place: ${join(backupsDir, newest)}`;
  return new BerthError(error.code, error.message, {
    next,
    cause: error.cause,
    facts: error.facts,
  });
}
