/**
 * An inbound.db, on the side that writes it. The file is opened for each use, or kept open between uses together with
 * its compiled statements; no transaction is ever left open. A lock is never waited for: a locked file throws
 * database_busy.
 */
import { BerthError } from '../../base/errors.js';
import { KeptDatabase, type OpenedDatabase } from '../../base/sqlite/kept-database.js';
import { migrateByVersion, type Migration } from '../../base/sqlite/migrate.js';
import { asForeign, fromSqlite, withDatabase, type Db } from '../../base/sqlite/sqlite.js';
import type { StatementCache } from '../../base/sqlite/statement-cache.js';
import { assertInboundSchema } from './inbound-schema.js';
import { assertNotHostile } from './hostile-file.js';

export interface InboundHandleOptions {
  /** With these, a file that an older version has made is brought up to date when it is opened. */
  readonly migrations?: readonly Migration[];
  /** Stays open until `close`. */
  readonly isKept?: boolean;
  /** Takes what was put right in a file that somebody else had changed, in words for a log. */
  readonly onPutRight?: (changes: readonly string[]) => void;
}

export class InboundHandle {
  readonly path: string;
  readonly #migrations: readonly Migration[];
  readonly #isKept: boolean;
  readonly #onPutRight: InboundHandleOptions['onPutRight'];
  readonly #file: KeptDatabase;
  /** The file that was checked last, and the mark of its schema, version and journal mode then. */
  #checked: { readonly opened: OpenedDatabase; readonly mark: string } | undefined;

  constructor(
    path: string,
    { migrations = [], isKept = false, onPutRight }: InboundHandleOptions = {},
  ) {
    this.path = path;
    this.#migrations = migrations;
    this.#isKept = isKept;
    this.#onPutRight = onPutRight;
    this.#file = new KeptDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
  }

  /** Makes the file or brings it up to date. */
  create(migrations: readonly Migration[]): void {
    withDatabase(this.path, { mode: 'create', busyTimeoutMs: 0 }, (db) => {
      migrateByVersion(db, migrations);
    });
  }

  /** In one transaction. Throws as openDatabase; database_corrupt where the tables of the protocol are not in it. */
  read<T>(use: (statements: StatementCache) => T): T {
    return this.#transact('BEGIN', use);
  }

  /** As read. */
  write<T>(use: (statements: StatementCache) => T): T {
    return this.#transact('BEGIN IMMEDIATE', use);
  }

  #transact<T>(begin: string, use: (statements: StatementCache) => T): T {
    try {
      const { db, statements } = this.#begin(begin, this.#open());
      try {
        const result = use(statements);
        statements.prepare('COMMIT').run();
        return result;
      } catch (error) {
        rollBack(db);
        throw error;
      }
    } catch (error) {
      const failure = fromSqlite(error, this.path);
      // Unless it was only locked, the file may be damaged, or not there any more.
      if (failure.code !== 'database_busy') this.close();
      // A file with a damaged header can seem to be one that may not be written: the file itself tells.
      if (failure.code === 'database_unreadable') assertNotHostile(this.path);
      throw asForeign(failure, this.path);
    } finally {
      if (!this.#isKept) this.close();
    }
  }

  /**
   * The schema of a file that stays open may be changed by somebody else. A file that is opened for each use is not
   * asked.
   */
  #begin(begin: string, opened: OpenedDatabase): OpenedDatabase {
    const { db, statements } = opened;
    statements.prepare(begin).run();
    // Inside the transaction it costs no lock of its own, and holds until its end.
    if (!this.#isKept || this.#isChecked(opened)) return opened;
    rollBack(db);
    this.#bringUpToDate(db);
    const changes = assertInboundSchema(db);
    if (changes.length > 0) this.#onPutRight?.(changes);
    statements.prepare(begin).run();
    this.#checked = { opened, mark: markOf(statements) };
    return opened;
  }

  #isChecked(opened: OpenedDatabase): boolean {
    return this.#checked?.opened === opened && this.#checked.mark === markOf(opened.statements);
  }

  close(): void {
    this.#checked = undefined;
    this.#file.close();
  }

  #open(): OpenedDatabase {
    const opened = this.#file.open();
    if (!this.#isKept) this.#bringUpToDate(opened.db);
    return opened;
  }

  #bringUpToDate(db: Db): void {
    const latest = this.#migrations.length;
    if (latest === 0) return;
    const version = db.pragma('user_version', { simple: true });
    if (version === latest) return;
    // Making its tables anew would hide that the file was emptied.
    if (version === 0) {
      const facts = { path: this.path };
      throw new BerthError('database_corrupt', `${this.path} is empty.`, { facts });
    }
    migrateByVersion(db, this.#migrations);
  }
}

/** SQLite may have rolled back by itself, as when the disk is full. */
function rollBack(db: Db): void {
  if (db.inTransaction) db.exec('ROLLBACK');
}

/** Words that SQLite has at hand. The first two read the file's header anew, which the last one does not. */
function markOf(statements: StatementCache): string {
  const names = ['schema_version', 'user_version', 'journal_mode'];
  return names
    .map((name) => String(statements.pluck<[], unknown>(`PRAGMA ${name}`).get()))
    .join(' ');
}
