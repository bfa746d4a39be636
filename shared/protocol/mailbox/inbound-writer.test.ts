import { mkdtempSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settlementOf } from '../../../test/fakes/settle-rows.js';
import { hasCode } from '../../base/errors.js';
import { readMigrations, type Migration } from '../../base/sqlite/migrate.js';
import { openDatabase, withDatabase } from '../../base/sqlite/sqlite.js';
import { InboundHandle } from './inbound-handle.js';
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
    new InboundHandle(path).create(released);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function versionOf(): unknown {
    return withDatabase(path, { mode: 'read', busyTimeoutMs: 0 }, (db) =>
      db.pragma('user_version', { simple: true }),
    );
  }

  /** Tells the code of the error that reading throws, if it throws one. */
  function resultOfReading(migrations: readonly Migration[]): string {
    try {
      new InboundWriter(new InboundHandle(path, { migrations })).listOpen();
      return 'reads it';
    } catch (error) {
      if (hasCode(error, 'database_corrupt', 'migration_refused')) return error.code;
      throw error;
    }
  }

  it('is brought up to date by the first one who opens it after an upgrade', () => {
    const writer = new InboundWriter(new InboundHandle(path, { migrations: later }));
    expect(writer.listOpen()).toEqual([]);
    expect(versionOf()).toBe(later.length);
    expect(resultOfReading(later)).toBe('reads it');
  });

  it('is left alone where it is newer than this program', () => {
    new InboundWriter(new InboundHandle(path, { migrations: later })).listOpen();
    expect(resultOfReading(released)).toBe('migration_refused');
  });

  it('is damaged where it has none: made anew, it would hide what is lost', () => {
    truncateSync(path);
    expect(resultOfReading(released)).toBe('database_corrupt');
    expect(versionOf()).toBe(0);
  });

  it.each([-1, 123_456])('is damaged where its version is %i', (version) => {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.pragma(`user_version = ${version}`);
    });
    expect(resultOfReading(released)).toBe('database_corrupt');
  });
});

describe('an inbound.db that stays open', () => {
  let folder: string;
  let path: string;
  let handle: InboundHandle;
  let writer: InboundWriter;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-inbound-'));
    path = join(folder, 'inbound.db');
    handle = new InboundHandle(path, { isKept: true });
    handle.create(readMigrations('migrations/inbound'));
    writer = new InboundWriter(handle);
  });

  afterEach(() => {
    handle.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function record(status: 'sending' | 'delivered'): void {
    writer.recordDeliveries([{ messageOutId: 'o-1', status, platformMessageId: null }], [], 0);
  }

  it('has no transaction open between two calls: others see each, and may write', () => {
    record('sending');
    const others = new InboundWriter(new InboundHandle(path));
    expect(others.findDeliveries(['o-1']).get('o-1')?.status).toBe('sending');
    others.recordDeliveries(
      [{ messageOutId: 'o-2', status: 'delivered', platformMessageId: null }],
      [],
      0,
    );
    record('delivered');
    expect([...writer.findDeliveries(['o-1', 'o-2']).values()].map(({ status }) => status)).toEqual(
      ['delivered', 'delivered'],
    );
  });

  it('is opened anew where another file lies in its place', () => {
    record('sending');
    const other = join(folder, 'other.db');
    new InboundHandle(other).create(readMigrations('migrations/inbound'));
    renameSync(other, path);
    expect(writer.findDeliveries(['o-1']).size).toBe(0);
    record('delivered');
    expect(new InboundWriter(new InboundHandle(path)).findDeliveries(['o-1']).size).toBe(1);
  });

  it('is missed where it is taken away', () => {
    record('sending');
    rmSync(path);
    expect(() => writer.listOpen()).toThrow(expect.objectContaining({ code: 'database_missing' }));
  });

  it('tells of a lock, and works once it is gone', () => {
    const hold = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    hold.exec('BEGIN IMMEDIATE');
    expect(() => {
      record('sending');
    }).toThrow(expect.objectContaining({ code: 'database_busy' }));
    hold.exec('ROLLBACK');
    hold.close();
    record('sending');
    expect(writer.findDeliveries(['o-1']).size).toBe(1);
  });

  it('leaves a row alone that has changed since its outcome was decided', () => {
    const row = {
      id: 'm-1',
      kind: 'chat' as const,
      timestamp: '2026-01-31T12:00:00.000Z',
      status: 'pending' as const,
      processAfter: null,
      recurrence: null,
      address: null,
      content: '{}',
    };
    writer.append({ rows: [row], outboundMaxSeq: 0 });
    const seen = writer.listOpen();
    const retry = { id: 'm-1', status: 'retry', processAfter: row.timestamp } as const;
    writer.settle(settlementOf(seen, [retry]));
    writer.settle(settlementOf(seen, [{ id: 'm-1', status: 'completed' }]));
    expect(writer.listOpen()).toMatchObject([{ id: 'm-1', tries: 1 }]);
  });

  it('keeps an outcome of a send that is final', () => {
    record('sending');
    record('delivered');
    record('sending');
    expect(writer.findDeliveries(['o-1']).get('o-1')?.status).toBe('delivered');
  });
});
