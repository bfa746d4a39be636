import { describe, expect, it } from 'vitest';
import { BerthError, type ErrorCode } from '../../../shared/base/errors.js';
import { findDamage } from './damage.js';

describe('what a failure to use a file means', () => {
  const inbound = '/s-1/in/inbound.db';
  const outbound = '/s-1/out/outbound.db';
  it.each<[ErrorCode, Record<string, string | boolean>, string | undefined]>([
    ['database_corrupt', { path: inbound }, 'damaged inbound.db'],
    ['database_corrupt', { path: outbound }, 'damaged outbound.db'],
    ['database_missing', { path: inbound }, 'damaged inbound.db'],
    ['database_unreadable', { path: outbound, isOrdinary: false }, 'damaged outbound.db'],
    ['database_unreadable', { path: outbound, sqlite: 'SQLITE_READONLY_ROLLBACK' }, 'interrupted'],
    ['database_unreadable', { path: outbound, sqlite: 'SQLITE_IOERR' }, 'out-of-reach'],
    ['database_unreadable', { path: inbound }, 'out-of-reach'],
    ['database_corrupt', { path: '/data/central.db' }, 'out-of-reach'],
    ['database_corrupt', {}, 'out-of-reach'],
    ['database_busy', { path: inbound }, undefined],
    ['disk_full', { path: inbound }, undefined],
    ['io_failed', { path: inbound }, undefined],
  ])('%s %j: %s', (code, facts, expected) => {
    const damage = findDamage(new BerthError(code, 'x', { facts }));
    const words = damage?.kind === 'damaged' ? `damaged ${damage.file}` : damage?.kind;
    expect(words).toBe(expected);
  });

  it('knows only failures of its own', () => {
    expect(findDamage(new Error('inbound.db is corrupt'))).toBeUndefined();
  });
});
