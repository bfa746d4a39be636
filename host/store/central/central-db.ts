/** Opens central.db: backs it up, migrates it, or says why it cannot be used and how to get back to a backup. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isoAt, systemClock } from '../../../shared/base/clock.js';
import { BerthError, hasCode } from '../../../shared/base/errors.js';
import { shellWord } from '../../../shared/base/shell-words.js';
import {
  listPending,
  migrateWithLedger,
  readMigrations,
} from '../../../shared/base/sqlite/migrate.js';
import { closeToOthers, makePrivately } from '../../../shared/base/private-file.js';
import { fromSqlite, openDatabase, type Db } from '../../../shared/base/sqlite/sqlite.js';
import { backUpNow, findNewestBackup } from './central-backup.js';
import { describeReturnToBackup } from './central-repair-words.js';
import { Store } from '../store.js';

export interface CentralDbPaths {
  readonly centralDb: string;
  readonly backupsDir: string;
  readonly migrationsDir: string;
}

/** How long a command waits for the daemon's transaction, or the other way round, in milliseconds. */
const busyTimeoutMs = 2_000;

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
  if (!existed) assertNeverUsed(paths, nowMs);
  makePrivately(paths.centralDb);
  closeToOthers(paths.centralDb);
  const db = openCentral(paths, nowMs);
  try {
    const migrations = readMigrations(join(paths.migrationsDir, 'central'));
    const pending = listPending(db, migrations);
    const backup =
      existed && pending.length > 0 ? backUpNow(db, paths.backupsDir, nowMs) : undefined;
    const applied = migrateWithLedger(db, migrations, isoAt(nowMs)).map(({ name }) => name);
    return { store: new Store(db), applied, backup };
  } catch (error) {
    db.close();
    throw withNextSteps(fromSqlite(error, paths.centralDb), paths, nowMs);
  }
}

/** A database that is gone is not made anew in silence: it knows what every session is for. */
function assertNeverUsed(paths: CentralDbPaths, nowMs: number): void {
  const { centralDb, backupsDir } = paths;
  if (findNewestBackup(backupsDir, nowMs) === undefined) return;
  throw new BerthError('database_missing', `${centralDb} is gone, and there are backups of it.`, {
    next: `${describeReturnToBackup(paths, nowMs)}\nTo begin afresh, move the backups away.`,
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
    throw withNextSteps(fromSqlite(error, paths.centralDb), paths, systemClock.now());
  }
}

function openCentral(paths: CentralDbPaths, nowMs: number): Db {
  try {
    const db = openDatabase(paths.centralDb, { mode: 'create', busyTimeoutMs, journal: 'wal' });
    // Reads the schema: a damaged file shows here and not in the middle of a message.
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return db;
  } catch (error) {
    throw withNextSteps(fromSqlite(error, paths.centralDb), paths, nowMs);
  }
}

/** Says how to get back to a backup; of a file that only cannot be reached, that its owner and mode come first. */
function withNextSteps(error: BerthError, paths: CentralDbPaths, nowMs: number): BerthError {
  if (!hasCode(error, 'database_corrupt', 'database_unreadable')) return error;
  const first =
    error.code === 'database_unreadable'
      ? `See first whether it belongs to you and may be read and written: ls -l ${shellWord(dirname(paths.centralDb))}\n`
      : '';
  return new BerthError(error.code, error.message, {
    next: `${first}${describeReturnToBackup(paths, nowMs)}`,
    cause: error.cause,
    facts: error.facts,
  });
}
