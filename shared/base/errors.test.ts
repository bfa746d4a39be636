import { describe, expect, it } from 'vitest';
import { BerthError, hasCode, toBerthError } from './errors.js';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: something`), { code });
}

describe('toBerthError', () => {
  it('keeps our own errors as they are', () => {
    const error = new BerthError('not_found', 'There is none.', { next: 'Make one.' });
    expect(toBerthError(error)).toBe(error);
    expect(hasCode(error, 'not_found', 'in_use')).toBe(true);
    expect(hasCode(error, 'in_use')).toBe(false);
    expect(hasCode(new Error('x'), 'internal')).toBe(false);
  });

  it.each([
    [systemError('ENOSPC'), 'disk_full'],
    [systemError('EDQUOT'), 'disk_full'],
    [systemError('EACCES'), 'io_failed'],
    [systemError('ERR_INVALID_ARG_TYPE'), 'internal'],
    [new Error('odd'), 'internal'],
    ['a string', 'internal'],
  ])('takes %s for %s', (thrown, code) => {
    const error = toBerthError(thrown);
    expect(error.code).toBe(code);
    expect(error.cause).toBe(thrown);
  });
});
