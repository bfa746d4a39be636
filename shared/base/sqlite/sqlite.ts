import { existsSync, lstatSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { BerthError, errnoOf, hasCode, shortageOf, toBerthError } from '../errors.js';
import { probeShortage } from '../shortage.js';

/**
 * SQLite makes these files beside a database, under its name and one of these endings; another database in its place
 * would take it for its own.
 */
export const companionSuffixes = ['-journal', '-wal', '-shm'] as const;

/** The one door to better-sqlite3. */
export type Db = Database.Database;

export type Statement<Bind extends unknown[], Row> = Database.Statement<Bind, Row>;

export interface OpenOptions {
  /** `read`: never writes. `write`: the file must exist. `create`: made when missing. */
  readonly mode: 'read' | 'write' | 'create';
  /** How long SQLite itself waits for a lock, blocking this thread. 0 where other sessions share the thread. */
  readonly busyTimeoutMs: number;
  /** WAL for the central database; DELETE for mailboxes, whose files cross a mount. */
  readonly journal?: 'wal' | 'delete';
}

/**
 * better-sqlite3 is compiled with what we need, so that an open costs no statement: foreign keys on, synchronous
 * FULL, and DELETE is SQLite's own first journal mode. Its test holds it to that.
 *
 * Opens an ordinary file, never a link or a pipe. Throws database_missing, database_unreadable,
 * database_corrupt, database_busy, disk_full or resources_short.
 */
export function openDatabase(path: string, options: OpenOptions): Db {
  assertOrdinaryFile(path, options.mode === 'create');
  let db: Db | undefined;
  try {
    db = new Database(path, {
      readonly: options.mode === 'read',
      fileMustExist: options.mode !== 'create',
      timeout: options.busyTimeoutMs,
    });
    // A file that is only read may have been written by somebody else.
    if (options.mode === 'read') db.pragma('trusted_schema = OFF');
    if (options.journal === 'wal') {
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = NORMAL');
      // Above so many bytes, the space that a burst or a long reader made the log take is given back at the next
      // checkpoint.
      db.pragma('journal_size_limit = 4194304');
    }
    return db;
  } catch (error) {
    db?.close();
    throw fromSqlite(error, path);
  }
}

/** Opens, uses and closes. Errors that SQLite throws inside are translated as in openDatabase. */
export function withDatabase<T>(path: string, options: OpenOptions, use: (db: Db) => T): T {
  const db = openDatabase(path, options);
  try {
    return use(db);
  } catch (error) {
    throw fromSqlite(error, path);
  } finally {
    db.close();
  }
}

/**
 * Uses the database in one write transaction, all of it or nothing. Not to be nested. `db.transaction()` of better-sqlite3 compiles
 * nine statements for each handle, which costs a file that is opened for one transaction most of its time.
 */
export function inTransaction<T>(db: Db, use: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = use();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function assertOrdinaryFile(path: string, mayBeMissing: boolean): void {
  const stat = statOf(path);
  if (stat?.isFile() === true) return;
  if (stat !== undefined) throw notAFile(path);
  if (mayBeMissing && existsSync(dirname(path))) return;
  throw new BerthError('database_missing', `There is no database at ${path}.`, { facts: { path } });
}

/** Whether something stands there. Throws resources_short, or database_unreadable where nobody can say. */
export function isThere(path: string): boolean {
  return statOf(path) !== undefined;
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return undefined;
    throw outOfReach(path, error);
  }
}

/**
 * Translates what the system says of a path into resources_short or database_unreadable. A path on which something
 * stands that is no folder does not pass by itself; every other reason may.
 */
export function outOfReach(path: string, cause: unknown): BerthError {
  const errno = errnoOf(cause) ?? '';
  const shortage = shortageOf(errno, cause);
  if (shortage !== undefined) return shortage;
  return new BerthError('database_unreadable', `The database ${path} cannot be reached.`, {
    cause,
    facts: { path, errno, mayPass: !lastingErrnos.has(errno) },
  });
}

const lastingErrnos = new Set(['ENOTDIR', 'ELOOP', 'ENAMETOOLONG']);

/** In place of the file stands something else. */
export function notAFile(path: string): BerthError {
  return new BerthError('database_unreadable', `${path} is not an ordinary file.`, {
    facts: { path, isOrdinary: false },
  });
}

/** A writer was killed in the middle of a commit, and its journal waits for one who may write. Source: sqlite.org/rescode.html. */
export function isHotJournal(error: unknown): boolean {
  if (hasCode(error, 'database_busy')) return error.facts['journal'] === true;
  return (
    hasCode(error, 'database_unreadable') && error.facts['sqlite'] === 'SQLITE_READONLY_ROLLBACK'
  );
}

/** A file that was emptied or replaced opens well, and has nothing of ours in it: that is damage too. */
export function asForeign(error: unknown, path: string): unknown {
  const isForeign =
    hasCode(error, 'internal') &&
    error.facts['sqlite'] === 'SQLITE_ERROR' &&
    /^no such (table|column)/.test(error.message);
  if (!isForeign) return error;
  return new BerthError('database_corrupt', `${path} does not hold the tables of the protocol.`, {
    cause: error,
    facts: { path },
  });
}

const busyCodes = /^SQLITE_(BUSY|LOCKED)/;
const corruptCodes = /^SQLITE_(CORRUPT|NOTADB|FORMAT)/;
const unreadableCodes = /^SQLITE_(CANTOPEN|READONLY|PERM|IOERR|AUTH)/;
const memoryCodes = /^SQLITE_(IOERR_)?NOMEM/;

/** As fromSqlite, and anything else as it is. */
export function ifFromSqlite(error: unknown, path: string): unknown {
  return error instanceof Database.SqliteError ? fromSqlite(error, path) : error;
}

/** A failure of SQLite as a BerthError; anything else through toBerthError. Result codes: sqlite.org/rescode.html. */
export function fromSqlite(error: unknown, path: string): BerthError {
  if (!(error instanceof Database.SqliteError)) return toBerthError(error);
  const { code } = error;
  const details = { cause: error, facts: { path, sqlite: code } };
  if (busyCodes.test(code)) {
    return new BerthError('database_busy', `The database ${path} is locked.`, details);
  }
  // A damaged header: SQLite has no code of its own for that one.
  if (corruptCodes.test(code) || error.message === 'unsupported file format') {
    return new BerthError('database_corrupt', `The database ${path} is damaged.`, details);
  }
  if (code === 'SQLITE_FULL') {
    return new BerthError('disk_full', `The disk is full: ${path} could not be written.`, {
      ...details,
      next: 'Free some space where BERTH_HOME lies, then try again.',
    });
  }
  const shortage = memoryCodes.test(code) ? shortageOf('ENOMEM', error) : undefined;
  if (shortage !== undefined) return shortage;
  if (unreadableCodes.test(code)) {
    // SQLite does not tell why the system refused it, so that the system is asked at once.
    const probed = probeShortage(path);
    if (probed !== undefined) return probed;
    const facts = { ...details.facts, mayPass: true };
    const message = `The database ${path} cannot be read or written.`;
    return new BerthError('database_unreadable', message, { cause: error, facts });
  }
  return new BerthError('internal', error.message, details);
}
