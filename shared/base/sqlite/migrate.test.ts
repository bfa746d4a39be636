import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listPending, migrateByVersion, migrateWithLedger, readMigrations } from './migrate.js';
import { openDatabase, type Db } from './sqlite.js';

const appliedAt = '2026-01-01T00:00:00.000Z';

describe('migrations', () => {
  let folder: string;
  let db: Db;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-migrate-'));
    write('0001-initial.sql', 'CREATE TABLE one (id INTEGER); CREATE TABLE extra (id INTEGER);');
    write('0002-second.sql', 'CREATE TABLE two (id INTEGER);');
    db = openDatabase(join(folder, 'test.db'), { mode: 'create', busyTimeoutMs: 0 });
  });

  afterEach(() => {
    db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function write(name: string, sql: string): void {
    writeFileSync(join(folder, name), sql);
  }

  function migrate(): string[] {
    return migrateWithLedger(db, readMigrations(folder), appliedAt).map(({ name }) => name);
  }

  function tables(): unknown[] {
    return db
      .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`)
      .pluck()
      .all();
  }

  describe('of a folder', () => {
    it('are read in order, whatever else lies there', () => {
      write('README.md', 'not one');
      const migrations = readMigrations(folder);
      expect(migrations.map(({ id, name }) => [id, name])).toEqual([
        [1, '0001-initial.sql'],
        [2, '0002-second.sql'],
      ]);
      expect(migrations[0]?.checksum).toMatch(/^[0-9a-f]{64}$/);
    });

    it.each(['0004-gap.sql', '0002-twice.sql', 'unnumbered.sql', '3-short.sql'])(
      'are refused with %s among them',
      (name) => {
        write(name, 'SELECT 1;');
        expect(() => readMigrations(folder)).toThrow(/is out of order/);
      },
    );
  });

  describe('with a ledger', () => {
    it('are applied once, and noted', () => {
      expect(migrate()).toEqual(['0001-initial.sql', '0002-second.sql']);
      expect(migrate()).toEqual([]);
      expect(tables()).toEqual(['extra', 'one', 'schema_migrations', 'two']);
      write('0003-third.sql', 'CREATE TABLE three (id INTEGER);');
      expect(listPending(db, readMigrations(folder)).map(({ id }) => id)).toEqual([3]);
      expect(migrate()).toEqual(['0003-third.sql']);
    });

    it('leave nothing behind of one that fails, and keep those before it', () => {
      write('0003-broken.sql', 'CREATE TABLE three (id INTEGER); CREATE TABLE one (id INTEGER);');
      expect(migrate).toThrow(/already exists/);
      expect(tables()).toEqual(['extra', 'one', 'schema_migrations', 'two']);
      expect(listPending(db, readMigrations(folder)).map(({ id }) => id)).toEqual([3]);
    });

    it.each([
      [
        'is missing',
        () => {
          rmSync(join(folder, '0002-second.sql'));
        },
        /knows migration 0002-second/,
      ],
      [
        'was changed',
        () => {
          write('0001-initial.sql', 'SELECT 1;');
        },
        /0001-initial.sql was changed/,
      ],
      [
        'was reordered',
        () => {
          write('0001-second.sql', 'CREATE TABLE two (id INTEGER);');
          write('0002-initial.sql', 'SELECT 1;');
          rmSync(join(folder, '0001-initial.sql'));
          rmSync(join(folder, '0002-second.sql'));
        },
        /was applied as 0001-initial.sql/,
      ],
    ])('are refused when one that was applied %s', (_title, spoil, message) => {
      migrate();
      spoil();
      expect(migrate).toThrow(message);
      expect(migrate).toThrow(expect.objectContaining({ code: 'migration_refused' }));
    });
  });

  describe('by version', () => {
    it('are applied once, and leave only their own tables', () => {
      migrateByVersion(db, readMigrations(folder));
      migrateByVersion(db, readMigrations(folder));
      expect(tables()).toEqual(['extra', 'one', 'two']);
      expect(db.pragma('user_version', { simple: true })).toBe(2);
    });

    it('go on where a file stands', () => {
      migrateByVersion(db, readMigrations(folder).slice(0, 1));
      expect(tables()).toEqual(['extra', 'one']);
      migrateByVersion(db, readMigrations(folder));
      expect(tables()).toEqual(['extra', 'one', 'two']);
    });

    it('say that a file is damaged which does not fit its number, and change nothing', () => {
      migrateByVersion(db, readMigrations(folder).slice(0, 1));
      db.exec('CREATE TABLE two (id INTEGER)');
      write('0002-second.sql', 'CREATE TABLE three (id INTEGER); CREATE TABLE two (id INTEGER);');
      expect(() => {
        migrateByVersion(db, readMigrations(folder));
      }).toThrow(
        expect.objectContaining({
          code: 'database_corrupt',
          message: expect.stringContaining('table two already exists') as string,
        }),
      );
      expect(tables()).toEqual(['extra', 'one', 'two']);
      expect(db.pragma('user_version', { simple: true })).toBe(1);
    });

    it('are refused for a file of a newer program', () => {
      db.pragma('user_version = 3');
      expect(() => {
        migrateByVersion(db, readMigrations(folder));
      }).toThrow(/of version 3, this program knows 2/);
    });
  });
});
