import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../base/sqlite/migrate.js';
import { fromSqlite, openDatabase, withDatabase, type Db } from '../../base/sqlite/sqlite.js';
import { assertInboundSchema } from './inbound-schema.js';
import { InboundHandle } from './inbound-handle.js';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const migrations = readMigrations(join(root, 'migrations', 'inbound'));

const indexSql = 'CREATE UNIQUE INDEX by_kind ON messages_in (kind)';
const triggerSql = `CREATE TRIGGER "no ""more""" BEFORE INSERT ON messages_in
  BEGIN SELECT raise(ABORT, 'closed'); END`;

describe('the schema of inbound.db', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-schema-'));
    path = join(folder, 'inbound.db');
    new InboundHandle(path).create(migrations);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Changes the file as somebody does with `sqlite3`. */
  function change(sql: string): void {
    open((db) => db.exec(sql));
  }

  function open<T>(use: (db: Db) => T): T {
    return withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, use);
  }

  function insert(): void {
    change(`INSERT INTO messages_in (id, seq, kind, timestamp, content)
            SELECT 'm-' || n, n, 'chat', 'now', '{}' FROM (SELECT count(*) * 2 + 2 AS n FROM messages_in)`);
  }

  it('is the one that the migrations make', () => {
    expect(open((db) => db.pragma('user_version', { simple: true }))).toBe(migrations.length);
    expect(open(assertInboundSchema)).toEqual([]);
    // So that a later migration cannot be forgotten here.
    change(triggerSql);
    expect(open(assertInboundSchema)).toHaveLength(1);
  });

  it('is not judged in a file of another version', () => {
    change('CREATE TABLE notes (text); PRAGMA user_version = 2');
    expect(open(assertInboundSchema)).toEqual([]);
  });

  it.each([
    ['a statistic', 'ANALYZE'],
    ['a view', 'CREATE VIEW conversation AS SELECT seq, content FROM messages_in'],
    ['another order of the file', 'VACUUM'],
  ])('may hold %s', (_, sql) => {
    insert();
    change(sql);
    expect(open(assertInboundSchema)).toEqual([]);
  });

  it.each([
    ['an index that keeps messages out', indexSql, 'foreign index "by_kind" dropped'],
    ['a trigger', triggerSql, 'foreign trigger "no ""more""" dropped'],
    ['a missing index', 'DROP INDEX idx_messages_in_open', 'index idx_messages_in_open made again'],
    ['WAL mode', 'PRAGMA journal_mode = WAL', 'journal mode WAL set back to DELETE'],
  ])('is freed of %s, and the next opening finds it well', (_, sql, what) => {
    change(sql);
    expect(open(assertInboundSchema)).toEqual([what]);
    expect(open(assertInboundSchema)).toEqual([]);
    insert();
    insert();
  });

  it('is freed of all of it at once, also of an index that has another text under our name', () => {
    change(`DROP INDEX idx_messages_in_open;
            CREATE INDEX idx_messages_in_open ON messages_in (content); ${triggerSql}; PRAGMA journal_mode = WAL`);
    expect(open(assertInboundSchema)).toHaveLength(4);
    expect(open(assertInboundSchema)).toEqual([]);
  });

  it('loses nothing that stands in the log of WAL mode', () => {
    const other = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    other.pragma('journal_mode = WAL');
    other.exec(
      `INSERT INTO messages_in (id, seq, kind, timestamp, content) VALUES ('m', 2, 'chat', 'now', '{}')`,
    );
    expect(existsSync(`${path}-wal`)).toBe(true);
    const failure = (): unknown => {
      try {
        return open(assertInboundSchema);
      } catch (error) {
        return fromSqlite(error, path);
      }
    };
    expect(failure()).toMatchObject({ code: 'database_busy' });
    other.close();
    open(assertInboundSchema);
    expect(existsSync(`${path}-wal`) || existsSync(`${path}-shm`)).toBe(false);
    expect(open((db) => db.prepare('SELECT count(*) FROM messages_in').pluck().get())).toBe(1);
  });

  it.each([
    ['a trigger', triggerSql],
    ['WAL mode', 'PRAGMA journal_mode = WAL'],
  ])('is freed of %s also while the host keeps the file open', (_, sql) => {
    const handle = new InboundHandle(path, { migrations, isKept: true });
    const count = (): unknown =>
      handle.write((it) => it.pluck('SELECT count(*) FROM messages_in').get());
    try {
      expect(count()).toBe(0);
      change(sql);
      expect(count()).toBe(0);
      expect(open(assertInboundSchema)).toEqual([]);
    } finally {
      handle.close();
    }
  });

  it.each([
    ['a table', 'CREATE TABLE notes (text)'],
    ['another version', 'PRAGMA user_version = 0'],
  ])('is noticed with %s at the next use of a file that stays open', (_, sql) => {
    const handle = new InboundHandle(path, { migrations, isKept: true });
    handle.read((it) => it.pluck('SELECT count(*) FROM messages_in').get());
    change(sql);
    expect(() => handle.read(() => 'used')).toThrow(
      expect.objectContaining({ code: 'database_corrupt' }),
    );
    handle.close();
  });

  it.each([
    ['a table of others', 'CREATE TABLE notes (text)', 'has a table "notes" of others'],
    ['no table of ours', 'DROP TABLE delivered', 'has no table delivered'],
    [
      'a column more',
      'ALTER TABLE messages_in ADD COLUMN note TEXT',
      'has another table messages_in than the protocol',
    ],
    [
      'a column less',
      'ALTER TABLE session_routing DROP COLUMN thread_id',
      'has another table session_routing than the protocol',
    ],
    [
      'a view in the place of a table',
      'DROP TABLE delivered; CREATE VIEW delivered AS SELECT 1 AS message_out_id',
      'has no table delivered',
    ],
  ])('is refused with %s', (_, sql, how) => {
    change(sql);
    expect(() => open(assertInboundSchema)).toThrow(
      expect.objectContaining({
        code: 'database_corrupt',
        message: `${path} ${how}.`,
        facts: { path },
      }),
    );
  });
});
