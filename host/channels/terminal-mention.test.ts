import { describe, expect, it } from 'vitest';
import { isMention } from './terminal-mention.js';

describe('a mention in the terminal', () => {
  it.each([
    ['@helper hi', true],
    ['and you, @agent?', true],
    ['(@äpfel)', true],
    ['hi', false],
    ['write to me@example.org', false],
    ['it costs 3 @ 5', false],
  ])('is an @ that begins a word: %j is %s', (text, expected) => {
    expect(isMention({ text })).toBe(expected);
  });

  it('is what the line says, where it says so', () => {
    expect(isMention({ text: 'hi', mention: true })).toBe(true);
    expect(isMention({ text: '@helper hi', mention: false })).toBe(false);
  });
});
