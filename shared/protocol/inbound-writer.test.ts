import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasCode } from '../base/errors.js';
import { readMigrations, type Migration } from '../base/migrate.js';
import { withDatabase } from '../base/sqlite.js';
import { InboundWriter } from './inbound-writer.js';

describe('an inbound.db of another version', () => {
  const released = readMigrations('migrations/inbound');
  const later: readonly Migration[] = [
    ...released,
    {
      id: released.length + 1,
      name: 'later.sql',
      sql: 'ALTER TABLE messages_in ADD COLUMN mood TEXT',
      checksum: '',
    },
  ];
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-inbound-'));
    path = join(folder, 'inbound.db');
    new InboundWriter(path).create(released);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function versionOf(): unknown {
    return withDatabase(path, { mode: 'read', busyTimeoutMs: 0 }, (db) =>
      db.pragma('user_version', { simple: true }),
    );
  }

  /** Whether a look throws an error of that code. */
  function looksAnd(migrations: readonly Migration[]): string {
    try {
      new InboundWriter(path, migrations).listOpen();
      return 'reads it';
    } catch (error) {
      if (hasCode(error, 'database_corrupt', 'migration_refused')) return error.code;
      throw error;
    }
  }

  it('is brought up to date by the first one who opens it after an upgrade', () => {
    const writer = new InboundWriter(path, later);
    expect(writer.listOpen()).toEqual([]);
    expect(versionOf()).toBe(later.length);
    expect(looksAnd(later)).toBe('reads it');
  });

  it('is left alone where it is newer than this program', () => {
    new InboundWriter(path, later).listOpen();
    expect(looksAnd(released)).toBe('migration_refused');
  });

  it('is damaged where it has none: made anew, it would hide what is lost', () => {
    truncateSync(path);
    expect(looksAnd(released)).toBe('database_corrupt');
    expect(versionOf()).toBe(0);
  });

  it.each([-1, 123_456])('is damaged where its version is %i', (version) => {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.pragma(`user_version = ${version}`);
    });
    expect(looksAnd(released)).toBe('database_corrupt');
  });
});
