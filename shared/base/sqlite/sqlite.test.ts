import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../errors.js';
import { inTransaction, openDatabase, withDatabase } from './sqlite.js';

const reading = { mode: 'read', busyTimeoutMs: 0 } as const;
const writing = { mode: 'write', busyTimeoutMs: 0 } as const;
const creating = { mode: 'create', busyTimeoutMs: 0 } as const;

describe('a SQLite file', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-sqlite-'));
    path = join(folder, 'test.db');
    withDatabase(path, creating, (db) => {
      db.exec('CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL)');
      db.exec(`INSERT INTO things (name) VALUES ('one')`);
    });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** The code of what the call throws. */
  function codeOf(call: () => unknown): string | undefined {
    try {
      call();
    } catch (error) {
      return error instanceof BerthError ? error.code : String(error);
    }
    return undefined;
  }

  it('takes all of a transaction or nothing', () => {
    const names = (): unknown =>
      withDatabase(path, reading, (db) => db.prepare('SELECT name FROM things').pluck().all());
    withDatabase(path, writing, (db) => {
      const insert = db.prepare('INSERT INTO things (name) VALUES (?)');
      expect(inTransaction(db, () => insert.run('two').changes)).toBe(1);
      expect(() =>
        inTransaction(db, () => {
          insert.run('three');
          throw new BerthError('internal', 'half-way');
        }),
      ).toThrow('half-way');
      // The handle goes on as before.
      expect(db.inTransaction).toBe(false);
      inTransaction(db, () => insert.run('four'));
    });
    expect(names()).toEqual(['one', 'two', 'four']);
  });

  it('takes nothing of a transaction whose commit meets a reader', () => {
    const reader = openDatabase(path, reading);
    const rows = reader.prepare('SELECT * FROM things').iterate();
    rows.next();
    withDatabase(path, writing, (db) => {
      expect(() =>
        inTransaction(db, () => db.exec(`INSERT INTO things (name) VALUES ('two')`)),
      ).toThrow('locked');
      expect(db.inTransaction).toBe(false);
    });
    rows.return?.();
    expect(reader.prepare('SELECT count(*) FROM things').pluck().get()).toBe(1);
    reader.close();
  });

  it('is written through in full where it is a mailbox, and has a WAL where it is asked for', () => {
    const pragmas = (name: string, more: object): unknown[] =>
      withDatabase(join(folder, name), { ...creating, ...more }, (db) => [
        db.pragma('journal_mode', { simple: true }),
        db.pragma('synchronous', { simple: true }),
        db.pragma('foreign_keys', { simple: true }),
        db.pragma('trusted_schema', { simple: true }),
      ]);
    expect(pragmas('mailbox.db', {})).toEqual(['delete', 2, 1, 1]);
    expect(pragmas('mailbox.db', { mode: 'read' })).toEqual(['delete', 2, 1, 0]);
    expect(pragmas('central.db', { journal: 'wal' })).toEqual(['wal', 1, 1, 1]);
  });

  it('is made only when that is asked for', () => {
    const missing = join(folder, 'missing.db');
    expect(codeOf(() => openDatabase(missing, reading))).toBe('database_missing');
    expect(codeOf(() => openDatabase(missing, writing))).toBe('database_missing');
    expect(codeOf(() => openDatabase(join(folder, 'none', 'x.db'), creating))).toBe(
      'database_missing',
    );
    openDatabase(missing, creating).close();
    openDatabase(missing, reading).close();
  });

  it('is an ordinary file, never a link or a folder', () => {
    const link = join(folder, 'link.db');
    symlinkSync(path, link);
    const dangling = join(folder, 'dangling.db');
    symlinkSync(join(folder, 'nowhere.db'), dangling);
    mkdirSync(join(folder, 'folder.db'));
    for (const options of [reading, writing, creating]) {
      expect(codeOf(() => openDatabase(link, options))).toBe('database_unreadable');
      expect(codeOf(() => openDatabase(dangling, options))).toBe('database_unreadable');
      expect(codeOf(() => openDatabase(join(folder, 'folder.db'), options))).toBe(
        'database_unreadable',
      );
    }
  });

  it('is called damaged when it is no database', () => {
    writeFileSync(path, 'this was never a database, however long it may be'.repeat(50));
    const read = (): unknown =>
      withDatabase(path, reading, (db) => db.prepare('SELECT 1 FROM things'));
    expect(codeOf(read)).toBe('database_corrupt');
    expect(codeOf(() => openDatabase(path, { ...creating, journal: 'wal' }))).toBe(
      'database_corrupt',
    );
  });

  it('is called locked without waiting when somebody else writes', () => {
    const other = openDatabase(path, writing);
    other.exec('BEGIN EXCLUSIVE');
    const startedAt = performance.now();
    const read = (): unknown =>
      withDatabase(path, reading, (db) => db.prepare('SELECT * FROM things').all());
    expect(codeOf(read)).toBe('database_busy');
    expect(performance.now() - startedAt).toBeLessThan(500);
    other.close();
    expect(codeOf(read)).toBeUndefined();
  });

  it('is not written by a reader', () => {
    const write = (): unknown => withDatabase(path, reading, (db) => db.exec('DELETE FROM things'));
    expect(codeOf(write)).toBe('database_unreadable');
  });

  it('is full when SQLite says so', () => {
    const fill = (): unknown =>
      withDatabase(path, writing, (db) => {
        db.pragma('max_page_count = 2');
        return db.prepare('INSERT INTO things (name) VALUES (?)').run('x'.repeat(100_000));
      });
    expect(codeOf(fill)).toBe('disk_full');
  });

  it('is closed whatever happens, and passes on what is not of SQLite', () => {
    const kept: { open: boolean }[] = [];
    const failWith = (error: Error): string | undefined =>
      codeOf(() =>
        withDatabase(path, reading, (db) => {
          kept.push(db);
          throw error;
        }),
      );
    expect(failWith(new BerthError('not_found', 'x'))).toBe('not_found');
    expect(failWith(new Error('x'))).toBe('internal');
    expect(kept.map(({ open }) => open)).toEqual([false, false]);
  });

  it('keeps the facts of a failure that has no name of its own', () => {
    const insertNull = (): unknown =>
      withDatabase(path, writing, (db) => db.exec('INSERT INTO things (name) VALUES (NULL)'));
    expect(insertNull).toThrow(
      expect.objectContaining({
        code: 'internal',
        facts: { path, sqlite: 'SQLITE_CONSTRAINT_NOTNULL' },
      }),
    );
  });
});
