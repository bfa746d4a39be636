import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventFolder, readStrace } from './sqlite-events.js';

const sqlite = createRequire(import.meta.url).resolve('better-sqlite3');

describe('what a process does with SQLite', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-counted-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** How often each thing happened in this script and in the Node processes and threads that it starts. */
  function count(script: string): Readonly<Record<string, number>> {
    using events = new EventFolder();
    const path = join(folder, 'script.cjs');
    writeFileSync(
      path,
      `const Database = require(${JSON.stringify(sqlite)}); const dir = ${JSON.stringify(folder)};\n${script}`,
    );
    const { stderr } = spawnSync(process.execPath, ['--require', events.counter, path], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    const counts: Record<string, number> = {};
    for (const { kind, database } of events.read([...events.counted()])) {
      const name = `${kind} ${database}`;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  }

  it('is told: opening, compiling, and commits that wrote something', () => {
    const counts = count(`
      const db = new Database(dir + '/a.db');
      db.exec('CREATE TABLE t (x)');
      db.prepare('INSERT INTO t VALUES (1)').run();
      db.prepare('UPDATE t SET x = 2 WHERE x = 7').run();
      db.prepare('SELECT * FROM t').all();
      db.pragma('user_version');`);
    expect(counts).toEqual({ 'open a.db': 1, 'prepare a.db': 5, 'commit a.db': 1 });
  });

  it('is told once for a transaction, and not for one that wrote nothing or was rolled back', () => {
    const counts = count(`
      const db = new Database(dir + '/a.db');
      db.exec('CREATE TABLE t (x)');
      const insert = db.prepare('INSERT INTO t VALUES (1) RETURNING x');
      db.transaction(() => { insert.get(); insert.all(); })();
      db.transaction(() => db.prepare('SELECT * FROM t').all())();
      try { db.transaction(() => { insert.get(); throw new Error('no'); })(); } catch {}
      db.transaction(() => db.prepare('SELECT * FROM t').all())();`);
    expect(counts['commit a.db']).toBe(1);
  });

  it('is told of a child without an environment, and of a thread', () => {
    writeFileSync(
      join(folder, 'other.cjs'),
      `const Database = require(${JSON.stringify(sqlite)});
       new Database(${JSON.stringify(folder)} + '/' + (process.send ? 'child' : 'thread') + '.db');`,
    );
    const counts = count(`
      require('child_process').fork(dir + '/other.cjs', { env: {}, execArgv: ['--max-old-space-size=64'] });
      new (require('worker_threads').Worker)(dir + '/other.cjs');`);
    expect(counts).toMatchObject({ 'open child.db': 1, 'open thread.db': 1 });
  });

  it('is not told of an agent', () => {
    writeFileSync(
      join(folder, 'runner.cjs'),
      `const Database = require(${JSON.stringify(sqlite)}); new Database(${JSON.stringify(folder)} + '/agent.db');`,
    );
    const counts = count(
      `require('child_process').spawn(process.execPath, [dir + '/runner.cjs'], { env: {} });`,
    );
    expect(counts).toEqual({});
  });
});

describe('what strace saw', () => {
  it('is read: databases that were opened, and journals whose deletion was a commit', () => {
    const lines = [
      '12 1700000000.250000 openat(AT_FDCWD, "/h/s/in/inbound.db", O_RDWR|O_CLOEXEC, 0644) = 20',
      '12 1700000000.260000 openat(AT_FDCWD, "/h/s/in/inbound.db-journal", O_RDWR) = 21',
      '12 1700000000.270000 unlink("/h/s/in/inbound.db-journal") = 0',
      '13 1700000000.280000 unlink("/h/s/out/outbound.db-journal") = -1 ENOENT (No such file)',
      '13 1700000000.290000 open("/h/central.db", O_RDONLY <unfinished ...>',
      '13 1700000000.300000 openat(AT_FDCWD, "/h/gone.db", O_RDONLY) = -1 ENOENT (No such file)',
    ];
    expect(readStrace(lines.join('\n'))).toEqual([
      { at: 1_700_000_000_250, kind: 'open', database: 'inbound.db' },
      { at: 1_700_000_000_270, kind: 'commit', database: 'inbound.db' },
      { at: 1_700_000_000_290, kind: 'open', database: 'central.db' },
    ]);
  });
});
