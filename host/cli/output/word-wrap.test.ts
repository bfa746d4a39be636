import { describe, expect, it } from 'vitest';
import { wrapWords } from './word-wrap.js';

describe('text that is broken at words', () => {
  it.each([
    ['what fits, as it is', 'one  two', 8, ['one  two']],
    ['what does not, in lines', 'one two three', 8, ['one two', 'three']],
    [
      'a word that is too long on a line of its own',
      'a longer-word b',
      6,
      ['a', 'longer-word', 'b'],
    ],
    ['a command whole', 'See `berth logs -f`.', 12, ['See', '`berth logs -f`.']],
    ['a lonely backtick as any other', 'a ` lonely one', 8, ['a `', 'lonely', 'one']],
    ['characters, not code units', '👍👍 👍👍', 5, ['👍👍 👍👍']],
  ])('has %s', (_, text, width, lines) => {
    expect(wrapWords(text, width)).toEqual(lines);
  });
});
