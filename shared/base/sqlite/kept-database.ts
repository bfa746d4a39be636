import { lstatSync } from 'node:fs';
import { openDatabase, type Db, type OpenOptions } from './sqlite.js';
import { StatementCache } from './statement-cache.js';

/** A database while it is open, and the statements that were compiled for it. */
export interface OpenedDatabase {
  readonly db: Db;
  readonly statements: StatementCache;
}

interface Opened extends OpenedDatabase {
  /** Device and inode of what was opened. */
  readonly identity: string;
}

/** Keeps a database open between uses. The caller ends each transaction, and then the use. */
export class KeptDatabase {
  readonly path: string;
  readonly #options: OpenOptions;
  #opened: Opened | undefined;

  constructor(path: string, options: OpenOptions) {
    this.path = path;
    this.#options = options;
  }

  /** The same object as before, unless another file has taken the file's place since. Throws as openDatabase. */
  open(): OpenedDatabase {
    if (this.#opened !== undefined && this.#opened.identity !== identityOf(this.path)) this.close();
    if (this.#opened !== undefined) return this.#opened;
    // Before: a file that takes its place meanwhile is noticed at the next use.
    const identity = identityOf(this.path);
    const db = openDatabase(this.path, this.#options);
    this.#opened = { db, statements: new StatementCache(db), identity };
    return this.#opened;
  }

  /** Ends a use. In WAL mode, into which somebody may have put the file, a connection holds locks in between: there it is closed. */
  endUse(): void {
    const mode = this.#opened?.statements.pluck('PRAGMA journal_mode').get();
    if (mode === 'wal') this.close();
  }

  close(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    opened?.db.close();
  }
}

/** Uses an open database in one transaction, all of it or nothing. Not to be nested. */
export function transact<T>(
  { db, statements }: OpenedDatabase,
  begin: 'BEGIN' | 'BEGIN IMMEDIATE',
  use: () => T,
): T {
  statements.prepare(begin).run();
  try {
    const result = use();
    statements.prepare('COMMIT').run();
    return result;
  } catch (error) {
    // SQLite may have rolled back by itself, as when the disk is full.
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** By name: opening and closing the file by other means would drop the locks that SQLite holds on it in this process. */
function identityOf(path: string): string {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.dev}:${stat.ino}`;
}
