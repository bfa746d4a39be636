import { describe, expect, it } from 'vitest';
import { findOwnName } from './own-name.js';

describe('the sender of what is typed', () => {
  it('is the user', () => {
    expect(findOwnName(() => 'ann')).toBe('ann');
  });

  it.each([
    [
      'nobody is listed',
      (): string => {
        throw new Error('uv_os_get_passwd returned ENOENT');
      },
    ],
    ['the name is no sender’s', (): string => 'a\ufffd'],
    ['the name is empty', (): string => ''],
  ])('is a number where %s', (_, find) => {
    expect(findOwnName(find, 54_321)).toBe('user-54321');
  });
});
