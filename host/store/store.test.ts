import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, withDatabase, type Db } from '../../shared/base/sqlite/sqlite.js';
import { TempHome } from '../../test/fakes/temp-home.js';
import type { Store } from './store.js';

describe('a transaction on the central database', () => {
  let home: TempHome;
  let store: Store;

  beforeEach(() => {
    home = new TempHome();
    store = home.store;
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  function note(id: string): void {
    store.requests.insert({ id, kind: 'test', payload: '{}', createdAt: id });
  }

  function listNoted(): readonly string[] {
    return store.requests.listPending().map(({ id }) => id);
  }

  it('returns what its work returns, as often as it is asked', () => {
    for (const id of ['a', 'b', 'c']) {
      const noted: string = store.transaction(() => {
        note(id);
        return id;
      });
      expect(noted).toBe(id);
    }
    expect(listNoted()).toEqual(['a', 'b', 'c']);
  });

  it('takes back, inside another one, its own work only', () => {
    store.transaction(() => {
      note('a');
      expect(() =>
        store.transaction(() => {
          note('b');
          throw new Error('not that');
        }),
      ).toThrow('not that');
      store.transaction(() => {
        note('c');
        store.transaction(() => {
          note('d');
        });
      });
    });
    expect(listNoted()).toEqual(['a', 'c', 'd']);
  });

  it('takes back all that was done inside it', () => {
    expect(() =>
      store.transaction(() => {
        store.transaction(() => {
          note('a');
        });
        throw new Error('nothing of it');
      }),
    ).toThrow('nothing of it');
    expect(listNoted()).toEqual([]);
    note('b');
    expect(listNoted()).toEqual(['b']);
  });

  it('is in the file alone after a checkpoint, although somebody else has the file open', () => {
    const { centralDb } = home.centralPaths;
    const reader = openDatabase(centralDb, { mode: 'read', busyTimeoutMs: 100 });
    const readIds = (db: Db): unknown => db.prepare('SELECT id FROM requests').pluck().all();
    try {
      note('a');
      expect(readIds(reader)).toEqual(['a']);
      expect(store.checkpoint()).toBe(true);
      const copy = join(home.root, 'copy.db');
      copyFileSync(centralDb, copy);
      expect(withDatabase(copy, { mode: 'write', busyTimeoutMs: 100 }, readIds)).toEqual(['a']);

      reader.exec('BEGIN');
      readIds(reader);
      note('b');
      store.limitWaits(1);
      expect(store.checkpoint()).toBe(false);
    } finally {
      reader.close();
    }
  });

  it('says in our words what the database refuses, and goes on', () => {
    const noteTwice = (): void => {
      note('a');
      note('a');
    };
    expect(() => {
      store.transaction(noteTwice);
    }).toThrow(
      expect.objectContaining({
        code: 'internal',
        facts: expect.objectContaining({ sqlite: 'SQLITE_CONSTRAINT_PRIMARYKEY' }) as object,
      }),
    );
    store.limitWaits(0);
    const { centralDb } = home.centralPaths;
    const other = openDatabase(centralDb, { mode: 'write', busyTimeoutMs: 0 });
    other.exec('BEGIN IMMEDIATE');
    let hasBegun = false;
    const begin = (): void => {
      hasBegun = true;
    };
    expect(() => {
      store.transaction(begin);
    }).toThrow(expect.objectContaining({ code: 'database_busy' }));
    expect(hasBegun).toBe(false);
    other.close();
    store.transaction(() => {
      note('b');
    });
    expect(listNoted()).toEqual(['b']);
  });
});
