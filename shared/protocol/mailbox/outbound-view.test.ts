import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../base/sqlite/migrate.js';
import { openDatabase, withDatabase } from '../../base/sqlite/sqlite.js';
import { OutboundReader } from './outbound-reader.js';
import { OutboundWriter } from './outbound-writer.js';

const migrations = readMigrations('migrations/outbound');

describe('outbound.db by its other name', () => {
  let folder: string;
  let path: string;
  let viewDir: string;
  let reader: OutboundReader;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-view-'));
    mkdirSync(join(folder, 'out'));
    path = join(folder, 'out', 'outbound.db');
    viewDir = join(folder, 'view');
    reader = new OutboundReader(path, { viewDir });
    new OutboundWriter(path).create(migrations);
    say('o-1');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function say(...ids: string[]): void {
    const row = { inReplyTo: null, deliverAfter: null, kind: 'chat', address: null } as const;
    const rows = ids.map((id) => ({ ...row, id, content: '{}' }));
    new OutboundWriter(path).commit({ rows, acks: [], inboundMaxSeq: 0, nowMs: 0 });
  }

  function ids(): readonly string[] {
    return reader.listAfter(0, 100).map(({ id }) => id);
  }

  it('is the same file, also when the container has made another one', () => {
    expect(ids()).toEqual(['o-1']);
    say('o-2');
    expect(ids()).toEqual(['o-1', 'o-2']);
    unlinkSync(path);
    new OutboundWriter(path).create(migrations);
    say('o-3');
    expect(ids()).toEqual(['o-3']);
    expect(readdirSync(viewDir)).toEqual(['outbound.db']);
  });

  it('is opened without touching a pipe in the place of its journal', () => {
    execFileSync('/usr/bin/mkfifo', [`${path}-journal`]);
    expect(ids).toThrow(expect.objectContaining({ code: 'database_busy' }) as Error);
  });

  it('is not read while a journal lies beside it: that may be half of a commit', () => {
    const db = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    db.exec(`BEGIN; UPDATE messages_out SET kind = 'task'`);
    try {
      expect(ids).toThrow(
        expect.objectContaining({
          code: 'database_busy',
          facts: expect.objectContaining({ path, journal: true }) as object,
        }) as Error,
      );
    } finally {
      db.exec('COMMIT');
      db.close();
    }
    expect(ids()).toEqual(['o-1']);
  });

  it.each([
    [
      'a link',
      () => {
        symlinkSync('/etc/passwd', path);
      },
    ],
    [
      'a folder',
      () => {
        mkdirSync(path);
      },
    ],
    ['a pipe', () => execFileSync('/usr/bin/mkfifo', [path])],
  ])('is never %s', (_, put) => {
    ids();
    unlinkSync(path);
    put();
    expect(ids).toThrow(
      expect.objectContaining({
        code: 'database_unreadable',
        message: expect.stringContaining(path) as string,
      }) as Error,
    );
  });

  it('is damaged where so many names were given to it that it can have no other', () => {
    const own = join(folder, 'names');
    mkdirSync(own);
    let isFull = false;
    for (let n = 0; !isFull && n < 70_000; n += 1) isFull = !mayLink(path, join(own, String(n)));
    execFileSync('/usr/bin/mkfifo', [`${path}-journal`]);
    if (isFull) {
      expect(ids).toThrow(
        expect.objectContaining({
          code: 'database_unreadable',
          facts: expect.objectContaining({ path, isOrdinary: false }) as object,
        }) as Error,
      );
    } else {
      // A file system without such a limit.
      expect(ids).toThrow(expect.objectContaining({ code: 'database_busy' }) as Error);
    }
  });

  it('is not opened in WAL mode, and nothing is made beside it', () => {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) =>
      db.pragma('journal_mode = WAL'),
    );
    expect(ids).toThrow(expect.objectContaining({ code: 'database_corrupt' }) as Error);
    expect(readdirSync(viewDir)).toEqual(['outbound.db']);
    expect(existsSync(`${path}-shm`)).toBe(false);
  });

  it('is missing where there is none, and comes to be seen when it is made', () => {
    rmSync(path);
    expect(ids()).toEqual([]);
    new OutboundWriter(path).create(migrations);
    say('o-1');
    expect(ids()).toEqual(['o-1']);
    expect(lstatSync(join(viewDir, 'outbound.db')).ino).toBe(lstatSync(path).ino);
  });

  it('is named by its own name in what goes wrong', () => {
    writeFileSync(path, 'x'.repeat(4_096));
    expect(ids).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(path) as string,
        facts: expect.objectContaining({ path }) as object,
      }) as Error,
    );
  });

  it('is refused without its keys, or with more strange rows than any runner writes', () => {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.exec(`WITH RECURSIVE n(i) AS (SELECT 5 UNION ALL SELECT i + 2 FROM n WHERE i < 4000)
               INSERT INTO messages_out (id, seq, timestamp, kind, content)
               SELECT CAST(i AS BLOB), i, '', 'chat', '{}' FROM n`);
    });
    expect(ids).toThrow(expect.objectContaining({ code: 'database_corrupt' }) as Error);
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.exec(`CREATE TABLE plain AS SELECT * FROM messages_out; DROP TABLE messages_out;
               ALTER TABLE plain RENAME TO messages_out`);
    });
    expect(ids).toThrow(expect.objectContaining({ code: 'database_corrupt' }) as Error);
  });
});

function mayLink(path: string, name: string): boolean {
  try {
    linkSync(path, name);
    return true;
  } catch {
    return false;
  }
}
