import { describe, expect, it } from 'vitest';
import { findStrayLines } from './env-file.js';

describe('the stray lines of an env file', () => {
  it.each<[string, string, readonly number[]]>([
    ['none in an empty file', '', []],
    ['none among settings and comments', '# mine\nA=1\n\n  export B = "two"\nC=\n', []],
    ['a name without a value', 'A=1\nBERTH_RUNTIME process\nB=2', [2]],
    ['a colon in the place of the sign', 'A: 1\r\nB=2\r\n\r\n', [1]],
    ['none within a value of several lines', 'A="one\ntwo\nthree"\nB=2', []],
    ['what follows quotes that never close', 'A="one\ntwo\nB=2', [2]],
  ])('are %s', (_what, text, stray) => {
    expect(findStrayLines(text)).toEqual(stray);
  });
});
