import { beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../errors.js';
import { openDatabase, type Db } from './sqlite.js';
import { SharedCommits } from './shared-commits.js';

describe('works that come together', () => {
  let db: Db;
  let commits: SharedCommits;
  let transactions: number;

  beforeEach(() => {
    db = openDatabase(':memory:', { mode: 'create', busyTimeoutMs: 0 });
    db.exec('CREATE TABLE notes (text TEXT NOT NULL)');
    transactions = 0;
    commits = new SharedCommits((work) => {
      transactions += 1;
      return db.transaction(work)();
    });
  });

  const note = (text: string | null) => () => {
    db.prepare('INSERT INTO notes VALUES (?)').run(text);
    return text;
  };
  const notes = (): unknown[] => db.prepare('SELECT text FROM notes').pluck().all();

  it('share one transaction, also where they come from different promises', async () => {
    const later = Promise.resolve().then(() => commits.add(note('b')));
    expect(await Promise.all([commits.add(note('a')), later])).toEqual(['a', 'b']);
    expect(notes()).toEqual(['a', 'b']);
    expect(transactions).toBe(1);
  });

  it('do not wait for the event loop to go on', async () => {
    let hasGoneOn = false;
    setImmediate(() => (hasGoneOn = true));
    await commits.add(note('a'));
    expect(hasGoneOn).toBe(false);
  });

  it('fail alone: the others are written', async () => {
    const outcomes = await Promise.allSettled(
      ['a', null, 'c'].map((text) => commits.add(note(text))),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(notes()).toEqual(['a', 'c']);
  });

  it('fail together, once, where the database can take none of them', async () => {
    const full = new BerthError('disk_full', 'The disk is full.');
    commits = new SharedCommits(() => {
      transactions += 1;
      throw full;
    });
    const outcomes = await Promise.allSettled(['a', 'b'].map((text) => commits.add(note(text))));
    expect(outcomes).toMatchObject([{ reason: full }, { reason: full }]);
    expect(transactions).toBe(1);
  });
});
