import { describe, expect, it } from 'vitest';
import { findNameProblem, normalizeName } from './name-rules.js';
import { toWellFormed } from './well-formed.js';

describe('a name', () => {
  it.each([
    'local',
    'Büro',
    'Bu\u0308ro',
    '事務所',
    'می\u200cخواهم',
    'क\u094d\u200dष',
    '👨‍👩‍👧',
    '❤️‍🔥',
    '👩🏽‍🚀',
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
    '__proto__',
    'a b',
    '@team',
  ])('may be %j', (name) => {
    expect(findNameProblem(name)).toBeUndefined();
  });

  it.each([
    ['\ud83d', 'half a character'],
    ['a\udc4d', 'half a character'],
    ['a\0', 'NUL'],
    ['a\ufffd', 'lost on its way'],
    ['a\nb', 'control characters'],
    ['a\u2028b', 'control characters'],
    ['\u202ecipot', 'turn the direction'],
    ['a\u2066b', 'turn the direction'],
    ['ad\u200bmin', 'nobody sees'],
    ['ad\u200dmin', 'nobody sees'],
    ['ad\u00admin', 'nobody sees'],
    ['admin\u{e0041}', 'nobody sees'],
    ['\ufeffadmin', 'nobody sees'],
    ['   ', 'nothing that can be seen'],
    ['\u3000', 'nothing that can be seen'],
  ])('may not be %j', (name, why) => {
    expect(findNameProblem(name)).toContain(why);
  });

  it('has one spelling, however its letters were composed', () => {
    expect(normalizeName('Bu\u0308ro')).toBe('Büro');
  });
});

describe('text', () => {
  it.each([
    ['a\ud83d', 'a\ufffd'],
    ['\udc4da', '\ufffda'],
    ['a\0b', 'a\ufffdb'],
    ['👍', '👍'],
    ['a\u202eb\n', 'a\u202eb\n'],
  ])('is well-formed: %j becomes %j', (text, expected) => {
    expect(toWellFormed(text)).toBe(expected);
  });
});
