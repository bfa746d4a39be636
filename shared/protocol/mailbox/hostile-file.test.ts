import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasCode } from '../../base/errors.js';
import { readMigrations } from '../../base/sqlite/migrate.js';
import { withDatabase } from '../../base/sqlite/sqlite.js';
import { OutboundReader } from './outbound-reader.js';
import { OutboundWriter } from './outbound-writer.js';

describe('what a container may put beside outbound.db', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-hostile-file-'));
    path = join(folder, 'outbound.db');
    new OutboundWriter(path).create(readMigrations('migrations/outbound'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function read(): string {
    try {
      return String(new OutboundReader(path).maxSeq());
    } catch (error) {
      if (hasCode(error, 'database_corrupt', 'database_unreadable')) return error.code;
      throw error;
    }
  }

  it.each<[string, (journal: string) => void]>([
    ['a pipe', (journal) => execFileSync('mkfifo', [journal])],
    [
      'a folder',
      (journal) => {
        mkdirSync(journal);
      },
    ],
    [
      'a link',
      (journal) => {
        symlinkSync('/etc/passwd', journal);
      },
    ],
  ])('%s in the place of its journal is refused, and holds nobody up', (_, put) => {
    expect(read()).toBe('0');
    put(`${path}-journal`);
    expect(read()).toBe('database_unreadable');
  });

  it('a database in WAL mode is refused: opening it would make files, behind links too', () => {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.pragma('journal_mode = WAL');
    });
    const victim = join(folder, 'victim');
    rmSync(`${path}-wal`, { force: true });
    symlinkSync(victim, `${path}-wal`);
    expect(read()).toBe('database_corrupt');
    expect(existsSync(victim)).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(['outbound.db', 'outbound.db-wal']);
  });
});
