import { describe, expect, it } from 'vitest';
import { toBerthError } from './errors.js';
import { parseDescriptorLimit } from './descriptors.js';
import { fromSqlite, openDatabase } from './sqlite/sqlite.js';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: it went wrong`), { code });
}

/** As SQLite fails, with another code. */
function sqliteError(code: string): unknown {
  const db = openDatabase(':memory:', { mode: 'create', busyTimeoutMs: 0 });
  try {
    return db.exec('nonsense');
  } catch (error) {
    return Object.assign(error as Error, { code, message: 'x' });
  } finally {
    db.close();
  }
}

describe('a failure of the system', () => {
  it.each([
    ['EMFILE', 'resources_short'],
    ['ENFILE', 'resources_short'],
    ['ENOMEM', 'resources_short'],
    ['EAGAIN', 'resources_short'],
    ['EFBIG', 'resources_short'],
    ['ENOSPC', 'disk_full'],
    ['EDQUOT', 'disk_full'],
    ['EIO', 'io_failed'],
    ['ESTALE', 'io_failed'],
    ['EACCES', 'io_failed'],
  ])('%s is %s', (errno, code) => {
    expect(toBerthError(systemError(errno))).toMatchObject({ code });
  });

  it.each([
    ['SQLITE_NOMEM', 'resources_short', undefined],
    ['SQLITE_IOERR_NOMEM', 'resources_short', undefined],
    ['SQLITE_IOERR_READ', 'database_unreadable', true],
    ['SQLITE_IOERR_FSYNC', 'database_unreadable', true],
    ['SQLITE_CANTOPEN', 'database_unreadable', true],
    ['SQLITE_READONLY', 'database_unreadable', true],
    ['SQLITE_CORRUPT', 'database_corrupt', undefined],
  ])('%s is %s, which may pass: %s', (sqlite, code, mayPass) => {
    const failure = fromSqlite(sqliteError(sqlite), '/s/in/inbound.db');
    expect(failure).toMatchObject({ code });
    expect(failure.facts['mayPass']).toBe(mayPass);
  });
});

describe('the limit of file descriptors', () => {
  it.each([
    ['Max open files            1024                 524288               files', 1024],
    ['Max open files            unlimited            unlimited            files', 2 ** 53 - 1],
    ['Max cpu time              unlimited            unlimited            seconds', undefined],
    ['', undefined],
  ])('is read from %j', (line, expected) => {
    expect(parseDescriptorLimit(`Limit   Soft Limit   Hard Limit   Units\n${line}\n`)).toBe(
      expected,
    );
  });
});
