import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeptDatabase } from './kept-database.js';
import { withDatabase } from './sqlite.js';

describe('a database that stays open', () => {
  let folder: string;
  let path: string;
  let kept: KeptDatabase;

  function make(name: string, word: string): string {
    const made = join(folder, name);
    withDatabase(made, { mode: 'create', busyTimeoutMs: 0 }, (db) => {
      db.exec(`CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('${word}')`);
    });
    return made;
  }

  const wordOf = (): unknown => kept.open().statements.pluck('SELECT word FROM words').get();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-kept-'));
    path = make('some.db', 'first');
    kept = new KeptDatabase(path, { mode: 'read', busyTimeoutMs: 0 });
  });

  afterEach(() => {
    kept.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is opened once, and shows what others write', () => {
    const opened = kept.open();
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.exec(`UPDATE words SET word = 'changed'`);
    });
    expect(wordOf()).toBe('changed');
    expect(kept.open()).toBe(opened);
  });

  it('keeps no writer out while nobody reads', () => {
    expect(wordOf()).toBe('first');
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.exec('BEGIN EXCLUSIVE; COMMIT');
    });
  });

  it('keeps nobody from putting it back where somebody has put it into WAL mode', () => {
    const put = (mode: string): unknown =>
      withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) =>
        db.pragma(`journal_mode = ${mode}`, { simple: true }),
      );
    put('WAL');
    expect(wordOf()).toBe('first');
    kept.endUse();
    expect(put('DELETE')).toBe('delete');
    const opened = kept.open();
    expect(wordOf()).toBe('first');
    kept.endUse();
    expect(kept.open()).toBe(opened);
  });

  it('is the file that lies there now, where another has taken its place', () => {
    expect(wordOf()).toBe('first');
    renameSync(make('other.db', 'second'), path);
    expect(wordOf()).toBe('second');
  });

  it('is missing as soon as its file is gone', () => {
    expect(wordOf()).toBe('first');
    rmSync(path);
    expect(wordOf).toThrow(/no database/);
  });
});
