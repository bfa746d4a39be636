import { describe, expect, it } from 'vitest';
import { charactersOf, cutText, takeCharacters } from './cut-text.js';

const family = '👨‍👩‍👧‍👦';
const flag = '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}';

describe('text that is cut', () => {
  it.each([
    ['short', 10, 'short'],
    ['exactly ten', 11, 'exactly ten'],
    ['one too many', 11, 'one too ma…'],
    [family.repeat(3), 3, family.repeat(3)],
    [family.repeat(4), 3, `${family}${family}…`],
    [flag.repeat(4), 2, `${flag}…`],
    ['🇩🇪🇫🇷🇮🇹', 2, '🇩🇪…'],
    ['e\u0301'.repeat(5), 3, 'e\u0301e\u0301…'],
    ['नमस्ते दुनिया', 3, 'नम…'],
    ['각'.normalize('NFD').repeat(5), 2, `${'각'.normalize('NFD')}…`],
  ])('%j to %d characters is %j', (text, longest, expected) => {
    expect(cutText(text, longest)).toBe(expected);
  });

  it('is never torn, wherever the windows of the segmenter meet', () => {
    for (const lead of ['', 'a', 'ab', 'abc']) {
      const text = lead + family.repeat(100);
      expect([...charactersOf(text)]).toEqual([
        ...Array.from(lead),
        ...Array.from({ length: 100 }, () => family),
      ]);
    }
    const flags = `a${'🇩🇪'.repeat(300)}`;
    expect([...charactersOf(flags)].slice(1).every((one) => one === '🇩🇪')).toBe(true);
  });

  it('is short also where one letter has a megabyte of marks, and soon', () => {
    const text = `a${'\u0301'.repeat(1_000_000)}`;
    const beganAt = performance.now();
    const cut = cutText(text, 40);
    expect(performance.now() - beganAt).toBeLessThan(500);
    expect(cut.length).toBeLessThan(2_000);
    expect(cut.endsWith('…')).toBe(true);
  });

  it('is taken from a long text in the time of what is taken', () => {
    const text = 'ä 👍🏽 '.repeat(200_000);
    const beganAt = performance.now();
    expect(takeCharacters(text, 100)).toMatchObject({ isWhole: false });
    expect(performance.now() - beganAt).toBeLessThan(500);
  });

  it('is kept together where it holds half a pair already', () => {
    const text = '\ud83d'.repeat(1_000);
    expect([...charactersOf(text)].join('')).toBe(text);
  });
});
