/**
 * Allows one daemon per BERTH_HOME. The lock is SQLite's own lock on a file of its own: the kernel drops it when its
 * holder dies, however it dies, so that there is never a stale one.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { BerthError, hasCode } from '../../../shared/base/errors.js';
import { makePrivately } from '../../../shared/base/private-file.js';
import {
  fromSqlite,
  openDatabase,
  withDatabase,
  type Db,
} from '../../../shared/base/sqlite/sqlite.js';

export class DaemonLock {
  readonly #db: Db;

  private constructor(db: Db) {
    this.#db = db;
  }

  /** Throws daemon_running when another process holds it. */
  static acquire(path: string): DaemonLock {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    let db: Db | undefined;
    try {
      makePrivately(path);
      // A process that only reads holds it for a moment; that is waited for.
      db = openDatabase(path, { mode: 'create', busyTimeoutMs: 500 });
      db.exec('BEGIN EXCLUSIVE');
      return new DaemonLock(db);
    } catch (error) {
      db?.close();
      const failure: BerthError = fromSqlite(error, path);
      if (failure.code !== 'database_busy') throw failure;
      throw new BerthError('daemon_running', 'A daemon runs for this BERTH_HOME already.', {
        next: 'Use it as it is, or stop it with `berth stop`.',
        cause: error,
      });
    }
  }

  release(): void {
    this.#db.close();
  }
}

/** Whether a daemon lives. */
export function isDaemonLockHeld(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    withDatabase(path, { mode: 'read', busyTimeoutMs: 0 }, (db) =>
      db.prepare('SELECT 1 FROM sqlite_schema').get(),
    );
    return false;
  } catch (error) {
    if (hasCode(error, 'database_busy')) return true;
    throw error;
  }
}
