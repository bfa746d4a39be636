import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { hasCode } from '../../../shared/base/errors.js';
import { backUpNow } from './central-backup.js';
import { describeReturnToBackup } from './central-repair-words.js';
import {
  listPendingMigrations,
  openStore,
  openStoreToRead,
  type CentralDbPaths,
} from './central-db.js';

const day = 24 * 60 * 60 * 1_000;
const nowMs = Date.parse('2026-01-31T12:00:00.000Z');

describe('the central database', () => {
  let root: string;
  let paths: CentralDbPaths;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-central-'));
    paths = {
      centralDb: join(root, 'data', 'central.db'),
      backupsDir: join(root, 'data', 'backups'),
      migrationsDir: 'migrations',
    };
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  /** The shipped migrations and one more. */
  function withOneMore(sql: string): CentralDbPaths {
    const migrationsDir = join(root, 'migrations');
    cpSync('migrations', migrationsDir, { recursive: true });
    const number = String(readdirSync(join(migrationsDir, 'central')).length + 1).padStart(4, '0');
    writeFileSync(join(migrationsDir, 'central', `${number}-more.sql`), sql);
    return { ...paths, migrationsDir };
  }

  function makeBackup(atMs: number): string {
    return withDatabase(paths.centralDb, { mode: 'write', busyTimeoutMs: 0 }, (db) =>
      backUpNow(db, paths.backupsDir, atMs),
    );
  }

  function tables(path: string): readonly string[] {
    return withDatabase(path, { mode: 'read', busyTimeoutMs: 0 }, (db) =>
      db.prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'table'`).pluck().all(),
    );
  }

  it('is made where there is none, with all tables and no backup', () => {
    const { store, applied, backup } = openStore(paths, nowMs);
    expect(applied).toEqual(readdirSync('migrations/central').sort());
    expect(backup).toBeUndefined();
    expect(store.agentGroups.list()).toEqual([]);
    store.close();
    expect(tables(paths.centralDb)).toEqual(
      expect.arrayContaining(['agent_groups', 'sessions', 'due_items', 'schema_migrations']),
    );
    withDatabase(paths.centralDb, { mode: 'read', busyTimeoutMs: 0 }, (db) => {
      expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    });
    const again = openStore(paths, nowMs);
    expect(again.applied).toEqual([]);
    expect(again.backup).toBeUndefined();
    again.store.close();
  });

  it('is backed up before it is migrated', () => {
    openStore(paths, nowMs).store.close();
    const newer = withOneMore('CREATE TABLE more (id TEXT)');
    expect(listPendingMigrations(newer)).toHaveLength(1);
    const { store, applied, backup } = openStore(newer, nowMs);
    store.close();
    expect(applied).toEqual([expect.stringContaining('-more.sql')]);
    expect(backup).toBe(join(paths.backupsDir, 'central-2026-01-31T12-00-00.000Z.db'));
    expect(tables(backup!)).not.toContain('more');
    expect(tables(paths.centralDb)).toContain('more');
    expect(readdirSync(paths.backupsDir)).toHaveLength(1);
    expect(listPendingMigrations(newer)).toEqual([]);
  });

  it('stays as it was when a migration fails', () => {
    openStore(paths, nowMs).store.close();
    const broken = withOneMore('CREATE TABLE more (id TEXT); INSERT INTO nowhere VALUES (1)');
    expect(() => openStore(broken, nowMs)).toThrow('nowhere');
    expect(tables(paths.centralDb)).not.toContain('more');
    openStore(paths, nowMs).store.close();
  });

  it.each(['garbage', 'truncated'])(
    'that is damaged (%s) is refused, and its newest backup named',
    (how) => {
      const { store } = openStore(paths, nowMs);
      store.close();
      makeBackup(nowMs - 2 * day);
      const newest = makeBackup(nowMs);
      const damaged =
        how === 'garbage' ? 'no database'.repeat(1_000) : 'SQLite format 3\0 and then';
      writeFileSync(paths.centralDb, damaged);
      for (const open of [openStore, openStoreToRead]) {
        let error: unknown;
        try {
          open(paths, nowMs);
        } catch (thrown) {
          error = thrown;
        }
        expect(hasCode(error, 'database_corrupt', 'database_unreadable')).toBe(true);
        expect((error as { next?: string }).next).toContain(newest);
      }
    },
  );

  it('does not take a backup that was cut short for one', () => {
    openStore(paths, nowMs).store.close();
    const good = makeBackup(nowMs);
    // A crash in the middle of the next backup leaves this.
    cpSync(paths.centralDb, join(paths.backupsDir, 'unfinished'));
    writeFileSync(paths.centralDb, 'no database'.repeat(1_000));
    expect(() => openStore(paths, nowMs)).toThrow(
      expect.objectContaining({ next: expect.stringContaining(good) as string }),
    );
    rmSync(paths.centralDb);
    cpSync(good, paths.centralDb);
    const next = makeBackup(nowMs + 2 * day);
    expect(readdirSync(paths.backupsDir).map((name) => join(paths.backupsDir, name))).toEqual([
      good,
      next,
    ]);
    expect(tables(next)).toContain('sessions');
  });

  it('that is damaged names its three files, and is replaced by the steps that are told', () => {
    const spaced = join(root, "my data's");
    paths = {
      ...paths,
      centralDb: join(spaced, 'central.db'),
      backupsDir: join(spaced, 'backups'),
    };
    openStore(paths, nowMs).store.close();
    const good = makeBackup(nowMs);
    writeFileSync(paths.centralDb, 'no database'.repeat(1_000));
    let told = '';
    try {
      openStore(paths, nowMs + day);
    } catch (error) {
      told = (error as { next: string }).next;
    }
    expect(told).toBe(describeReturnToBackup(paths, nowMs + day));
    // SQLite takes them away where it can; a daemon that was killed leaves them.
    writeFileSync(`${paths.centralDb}-wal`, 'of the damaged one');
    writeFileSync(`${paths.centralDb}-shm`, 'of the damaged one');
    const next = describeReturnToBackup(paths, nowMs + day);
    expect(next).toContain(`To go back to the newest backup, of 2026-01-31 12:00 UTC:`);
    for (const name of ['central.db', 'central.db-wal', 'central.db-shm']) {
      expect(next).toContain(name);
    }
    const steps = next.split('\n').filter((line) => line.startsWith('  '));
    expect(steps.at(0)).toBe('  berth stop');
    expect(steps.at(-1)).toBe('  berth start --detach');
    execFileSync('/bin/sh', ['-ec', `berth() { :; }\n${steps.join('\n')}`]);
    openStore(paths, nowMs + day).store.close();
    expect(readFileSync(good)).toHaveLength(statSync(paths.centralDb).size);
    const kept = readdirSync(spaced).find((name) => name.startsWith('damaged-central-'));
    expect(readdirSync(join(spaced, kept!)).sort()).toEqual([
      'central.db',
      'central.db-shm',
      'central.db-wal',
    ]);
  });

  it('that is gone takes what lay beside it away with the steps that are told', () => {
    openStore(paths, nowMs).store.close();
    makeBackup(nowMs);
    rmSync(paths.centralDb);
    writeFileSync(`${paths.centralDb}-wal`, 'left');
    expect(() => openStore(paths, nowMs)).toThrow(
      expect.objectContaining({
        code: 'database_missing',
        next: expect.stringMatching(/mv \S+central\.db\* \S+damaged-central-/) as string,
      }),
    );
  });

  it('that is damaged says so where there is no backup', () => {
    mkdirSync(join(root, 'data'));
    writeFileSync(paths.centralDb, 'no database'.repeat(1_000));
    expect(() => openStore(paths, nowMs)).toThrow(
      expect.objectContaining({ next: expect.stringContaining('no backup yet') as string }),
    );
  });

  it('of a newer program is refused', () => {
    openStore(withOneMore('CREATE TABLE more (id TEXT)'), nowMs).store.close();
    expect(() => openStore(paths, nowMs)).toThrow(
      expect.objectContaining({ code: 'migration_refused' }),
    );
    expect(() => openStoreToRead(paths)).toThrow(
      expect.objectContaining({ code: 'migration_refused' }),
    );
  });

  it('whose ledger does not fit the migrations is refused', () => {
    openStore(paths, nowMs).store.close();
    withDatabase(paths.centralDb, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.exec(`UPDATE schema_migrations SET checksum = 'other' WHERE id = 1`);
    });
    expect(() => openStore(paths, nowMs)).toThrow(
      expect.objectContaining({ code: 'migration_refused' }),
    );
  });

  it('is read without being made, changed or migrated', () => {
    const store = openStoreToRead(paths);
    expect(store.sessions.list()).toEqual([]);
    store.close();
    expect(existsSync(paths.centralDb)).toBe(false);
    openStore(paths, nowMs).store.close();
    const newer = withOneMore('CREATE TABLE more (id TEXT)');
    expect(() => openStoreToRead(newer)).toThrow(
      expect.objectContaining({ code: 'migration_refused' }),
    );
    const reader = openStoreToRead(paths);
    expect(() => {
      reader.awaitedListeners.add('s', 'c', 'p');
    }).toThrow();
    reader.close();
  });

  it('tells when another connection has written, and only then', () => {
    const { store } = openStore(paths, nowMs);
    const before = store.dataVersion();
    const group = {
      id: 'ag-1',
      name: 'Main',
      folder: 'main',
      isAdmin: false,
      provider: null,
      containerConfig: null,
      createdAt: '',
    };
    store.agentGroups.insert(group);
    expect(store.dataVersion()).toBe(before);
    const other = openStore(paths, nowMs).store;
    expect(other.agentGroups.list()).toEqual([group]);
    expect(store.dataVersion()).toBe(before);
    other.agentGroups.update({ ...group, name: 'Renamed' });
    expect(store.dataVersion()).not.toBe(before);
    other.close();
    store.close();
  });

  it('does all of a transaction or nothing', () => {
    const { store } = openStore(paths, nowMs);
    const chat = {
      channelType: 'fake',
      name: null,
      isGroup: false,
      adminUserId: null,
      timeZone: null,
      createdAt: '',
    };
    expect(() => {
      store.transaction(() => {
        store.messagingGroups.insert({ ...chat, id: 'mg-1', platformId: '1' });
        store.messagingGroups.insert({ ...chat, id: 'mg-1', platformId: '2' });
      });
    }).toThrow();
    expect(store.messagingGroups.list()).toEqual([]);
    store.close();
  });
});
