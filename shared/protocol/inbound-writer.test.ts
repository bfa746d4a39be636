import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasCode } from '../base/errors.js';
import { readMigrations, type Migration } from '../base/migrate.js';
import { openDatabase, withDatabase } from '../base/sqlite.js';
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

describe('several calls in one opening of inbound.db', () => {
  let folder: string;
  let writer: InboundWriter;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-inbound-'));
    writer = new InboundWriter(join(folder, 'inbound.db'));
    writer.create(readMigrations('migrations/inbound'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function record(status: 'sending' | 'delivered'): void {
    writer.recordDeliveries([{ messageOutId: 'o-1', status, platformMessageId: null }], [], 0);
  }

  it('are transactions of their own, and see what came before', () => {
    writer.inOneOpening(() => {
      record('sending');
      const others = new InboundWriter(join(folder, 'inbound.db'));
      expect(others.findDeliveries(['o-1']).get('o-1')?.status).toBe('sending');
      record('delivered');
      expect(writer.findDeliveries(['o-1']).get('o-1')?.status).toBe('delivered');
    });
  });

  it('find the file that lies there the next time', () => {
    writer.inOneOpening(() => {
      record('sending');
    });
    rmSync(join(folder, 'inbound.db'));
    expect(() => {
      writer.inOneOpening(() => writer.listOpen());
    }).toThrow(expect.objectContaining({ code: 'database_missing' }));
  });

  it('leave errors of other files alone', () => {
    const central = join(folder, 'central.db');
    const useOther = (): void => {
      writer.inOneOpening(() => {
        writer.listOpen();
        withDatabase(central, { mode: 'create', busyTimeoutMs: 0 }, (db) =>
          db.exec('SELECT nothing'),
        );
      });
    };
    expect(useOther).toThrow(
      expect.objectContaining({ facts: { path: central, sqlite: 'SQLITE_ERROR' } }),
    );
  });

  it('tell of a lock, and work once it is gone', () => {
    const hold = openDatabase(join(folder, 'inbound.db'), { mode: 'write', busyTimeoutMs: 0 });
    hold.exec('BEGIN IMMEDIATE');
    const both = (): void => {
      writer.inOneOpening(() => {
        writer.listOpen();
        record('sending');
      });
    };
    expect(both).toThrow(expect.objectContaining({ code: 'database_busy' }));
    hold.exec('ROLLBACK');
    hold.close();
    both();
    expect(writer.findDeliveries(['o-1']).size).toBe(1);
  });
});
