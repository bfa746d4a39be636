import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Db } from './sqlite.js';
import { StatementCache } from './statement-cache.js';

describe('kept statements', () => {
  let folder: string;
  let path: string;
  let db: Db;
  let compiled: string[];
  let statements: StatementCache;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-statements-'));
    path = join(folder, 'some.db');
    db = openDatabase(path, { mode: 'create', busyTimeoutMs: 0 });
    db.exec(`CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL);
             INSERT INTO words VALUES (1, 'one'), (2, 'two');`);
    compiled = [];
    const counting = new Proxy(db, {
      get: (target, name): unknown => {
        if (name !== 'prepare') return Reflect.get(target, name) as unknown;
        return (sql: string) => {
          compiled.push(sql);
          return target.prepare(sql);
        };
      },
    });
    statements = new StatementCache(counting);
  });

  afterEach(() => {
    db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const select = 'SELECT word FROM words WHERE id = ?';

  it('are compiled at their first use, and never again', () => {
    expect(compiled).toEqual([]);
    const find = (id: number) => statements.prepare<[number], { word: string }>(select).get(id);
    expect([find(1), find(2), find(3)]).toEqual([{ word: 'one' }, { word: 'two' }, undefined]);
    expect(compiled).toEqual([select]);
  });

  it('give rows to some and values to others, of the same text', () => {
    for (let round = 0; round < 2; round += 1) {
      expect(statements.pluck<[number], string>(select).get(1)).toBe('one');
      expect(statements.prepare<[number], { word: string }>(select).all(2)).toEqual([
        { word: 'two' },
      ]);
    }
    expect(compiled).toEqual([select, select]);
  });

  it('go on after a failure', () => {
    const insert = (id: number) =>
      statements.prepare('INSERT INTO words VALUES (?, ?)').run(id, 'more').changes;
    expect(insert(3)).toBe(1);
    expect(() => insert(3)).toThrow('UNIQUE');
    expect(insert(4)).toBe(1);
    expect(compiled).toHaveLength(1);
  });

  it('follow tables that another connection changes', () => {
    const findAll = () => statements.prepare('SELECT * FROM words WHERE id = ?').get(1);
    expect(findAll()).toEqual({ id: 1, word: 'one' });
    const other = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    other.exec(`ALTER TABLE words ADD COLUMN language TEXT DEFAULT 'en'`);
    expect(findAll()).toEqual({ id: 1, word: 'one', language: 'en' });
    other.exec('ALTER TABLE words DROP COLUMN word');
    expect(findAll()).toEqual({ id: 1, language: 'en' });
    other.close();
  });

  it('walk rows as far as they are taken, one walk of a text at a time', () => {
    const walk = () => statements.walk<{ word: string }>('SELECT word FROM words ORDER BY id');
    for (const { word } of walk()) {
      expect(word).toBe('one');
      expect(() => [...walk()]).toThrow('busy');
      expect(statements.prepare(select).get(2)).toEqual({ word: 'two' });
      break;
    }
    expect([...walk()]).toEqual([{ word: 'one' }, { word: 'two' }]);
    expect(compiled).toHaveLength(2);
  });

  it('say what is wrong with a text, each time it is used', () => {
    for (let round = 0; round < 2; round += 1) {
      expect(() => statements.prepare('SELECT word FROM nowhere')).toThrow('nowhere');
    }
  });
});
