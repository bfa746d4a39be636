import { describe, expect, it } from 'vitest';
import { fitToWidth, widthOfText } from './text-width.js';

describe('the width of text', () => {
  it.each([
    ['abc', 3],
    ['e\u0301', 1],
    ['👨‍👩‍👧', 1],
    ['👍🏽', 1],
    ['🇩🇪🇫🇷', 2],
    ['', 0],
  ])('%j has %d characters', (text, width) => {
    expect(widthOfText(text)).toBe(width);
  });

  it('is counted in a megabyte of marks without delay', () => {
    const beganAt = performance.now();
    expect(widthOfText(`a${'\u0301'.repeat(1_000_000)}`)).toBe(1);
    expect(fitToWidth('e\u0301'.repeat(500_000), 20, 'middle')).toMatch(/…/);
    expect(performance.now() - beganAt).toBeLessThan(2_000);
  });

  it.each([
    ['👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧', 'end', '👨‍👩‍👧…'],
    ['👨‍👩‍👧👍🏽👍🏽🇩🇪', 'middle', '👨‍👩‍👧…'],
    ['abcdef', 'end', 'a…'],
  ] as const)('cuts %j at its %s without tearing a character', (text, where, expected) => {
    expect(fitToWidth(text, 2, where)).toBe(expected);
  });

  it('keeps both ends whole where it cuts in the middle', () => {
    expect(fitToWidth('e\u0301abcdefgo\u0308', 5, 'middle')).toBe('e\u0301a…go\u0308');
  });
});
