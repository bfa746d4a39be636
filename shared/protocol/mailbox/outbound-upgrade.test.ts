/** outbound.db of version 1, as a runner of that version wrote it, in the hands of this one. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../base/sqlite/migrate.js';
import { withDatabase, type Db } from '../../base/sqlite/sqlite.js';
import { OutboundPruner } from './outbound-pruner.js';
import { OutboundReader } from './outbound-reader.js';
import { OutboundWriter } from './outbound-writer.js';

const migrations = readMigrations('migrations/outbound');

describe('an outbound.db of version 1', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-upgrade-'));
    path = join(folder, 'outbound.db');
    cpSync('test/fixtures/outbound-version-1.db', path);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function inFile<T>(use: (db: Db) => T, at = path): T {
    return withDatabase(at, { mode: 'write', busyTimeoutMs: 0 }, use);
  }

  function tamper(sql: string): void {
    inFile((db) => db.exec(sql));
  }

  function version(): unknown {
    return inFile((db) => db.pragma('user_version', { simple: true }));
  }

  function listState(): readonly unknown[] {
    return inFile((db) => db.prepare('SELECT key, value FROM session_state').raw().all());
  }

  function textOf(table: string): string | undefined {
    return inFile((db) =>
      db
        .prepare<[string], string>('SELECT sql FROM sqlite_schema WHERE name = ?')
        .pluck()
        .get(table),
    );
  }

  /** All that the host wants of it, through each of the file's names. */
  function expectRead(): void {
    const viewDir = join(folder, 'view');
    for (const reader of [new OutboundReader(path), new OutboundReader(path, { viewDir })]) {
      expect(reader.maxSeq()).toBe(9);
      expect(reader.listAfter(0, 10).map(({ id, seq }) => [id, seq])).toEqual([
        ['o-1', 3],
        ['o-2', 7],
        ['o-3', 9],
      ]);
      expect(reader.findAcks(['m-1', 'm-2', 'm-3', 'm-4'])).toEqual(
        new Map([
          ['m-1', ack('completed', 0, 0)],
          ['m-2', { ...ack('failed', 1, 1), reason: 'the provider was told to fail' }],
          ['m-3', ack('processing', 2, 2)],
        ]),
      );
    }
  }

  function ack(status: string, tries: number, second: number): object {
    return { status, tries, statusChanged: `2026-01-31T12:00:0${second}.000Z`, reason: null };
  }

  function upgrade(): void {
    new OutboundWriter(path).create(migrations);
  }

  it('is read as it is, until its runner has come', () => {
    expect(version()).toBe(1);
    expectRead();
  });

  it('is brought up to date by its runner, and loses nothing', () => {
    upgrade();
    expect(version()).toBe(migrations.length);
    expect(listState()).toEqual([
      ['tries:m-2', '1'],
      ['failure:m-2', 'the provider was told to fail'],
      ['tries:m-3', '2'],
      ['pruned', ''],
    ]);
    expectRead();
    expect(() => {
      tamper(`INSERT INTO session_state VALUES ('a', NULL, '')`);
    }).toThrow('NOT NULL');
    expect(new OutboundPruner(path).findPrunedAt()).toBe('2026-01-31T12:00:03.000Z');
    expect(inFile((db) => db.pragma('integrity_check', { simple: true }))).toBe('ok');
  });

  it('becomes what a new file is, however often it is brought up to date', () => {
    const fresh = join(folder, 'fresh.db');
    new OutboundWriter(fresh).create(migrations);
    const tablesOf = (at: string): unknown[] =>
      inFile((db) => db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY 2').all(), at);
    upgrade();
    expect(tablesOf(path)).toEqual(tablesOf(fresh));
    // A damaged byte may take its version back.
    tamper('PRAGMA user_version = 1');
    upgrade();
    expect(tablesOf(path)).toEqual(tablesOf(fresh));
    expectRead();
  });

  it('is read also where its table was renamed, which puts the name into quotes', () => {
    tamper('ALTER TABLE session_state RENAME TO other; ALTER TABLE other RENAME TO session_state');
    expect(textOf('session_state')).toContain('"session_state"');
    expectRead();
    upgrade();
    expect(textOf('session_state')).not.toContain('"');
    expectRead();
  });

  it('stays as it was where that is cut short', () => {
    const before = listState();
    const [first, second] = migrations;
    const sql = `${second!.sql}; INSERT INTO nowhere VALUES (1);`;
    expect(() => {
      new OutboundWriter(path).create([first!, { ...second!, sql }]);
    }).toThrow('nowhere');
    expect(version()).toBe(1);
    expect(listState()).toEqual(before);
    expectRead();
  });

  it.each([
    ['lacks a table', 'DROP TABLE session_state'],
    ['has another one in its place', 'ALTER TABLE session_state RENAME COLUMN value TO other'],
    ['stands in the way', 'CREATE VIEW session_state_1 AS SELECT 1'],
    ['has lost its version', 'PRAGMA user_version = 0'],
  ])('that %s is damaged, so that the host replaces it', (_, sql) => {
    tamper(sql);
    expect(upgrade).toThrow(
      expect.objectContaining({
        code: 'database_corrupt',
        facts: expect.objectContaining({ path }) as object,
      }),
    );
  });

  it('has no reason and no tries of a message where their rows are not worth reading', () => {
    tamper(
      `INSERT INTO session_state VALUES ('failure:m-9', NULL, ''), ('tries:m-9', hex(zeroblob(600000)), '');
       INSERT INTO processing_ack VALUES ('m-9', 'failed', '')`,
    );
    upgrade();
    const { tries, reason } = new OutboundReader(path).findAcks(['m-9']).get('m-9')!;
    expect({ tries, reason }).toEqual({ tries: 0, reason: null });
  });
});
