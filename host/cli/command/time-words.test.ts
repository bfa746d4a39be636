import { describe, expect, it } from 'vitest';
import {
  describeAge,
  describeDuration,
  describeLocal,
  describeWait,
  parseSince,
} from './time-words.js';

const now = Date.parse('2026-01-31T12:00:00.000Z');

describe('a time to come', () => {
  it.each([
    ['2026-01-31T12:05:00.000Z', 'in 5m'],
    ['2026-02-02T13:00:00.000Z', 'in 2d 1h'],
    ['2026-01-31T12:00:00.000Z', 'due'],
    ['2026-01-31T11:00:00.000Z', 'due'],
  ])('%s is %s at noon', (iso, expected) => {
    expect(describeWait(iso, now)).toBe(expected);
  });

  it('is told as clocks show it there, with seconds where there are any', () => {
    expect(describeLocal('2026-01-31T12:00:00.000Z', 'Asia/Tokyo')).toBe('2026-01-31 21:00');
    expect(describeLocal('2026-07-31T12:00:05.000Z', 'Europe/Berlin')).toBe('2026-07-31 14:00:05');
  });
});

describe('time in words', () => {
  it.each([
    [0, '0s'],
    [999, '0s'],
    [-5_000, '0s'],
    [59_000, '59s'],
    [61_000, '1m 1s'],
    [7_200_000, '2h'],
    [90_061_000, '1d 1h'],
  ])('calls %d ms %s', (ms, words) => {
    expect(describeDuration(ms)).toBe(words);
  });

  it('tells how long ago something was, in one unit', () => {
    expect(describeAge('2026-01-31T11:54:30.000Z', now)).toBe('5m ago');
    expect(describeAge(null, now)).toBe('-');
  });

  it.each([
    ['10s', now - 10_000],
    ['10m', now - 600_000],
    ['2h', now - 7_200_000],
    ['1d', now - 86_400_000],
    ['2026-01-31T11:00:00Z', now - 3_600_000],
    ['2026-01-30', now - 129_600_000],
  ])('reads %s', (text, at) => {
    expect(parseSince(text, now, 'UTC')).toBe(at);
  });

  it.each(['', '10', 'm', '-5m', 'yesterday', '2026-99-99'])('refuses %j', (text) => {
    expect(() => parseSince(text, now, 'UTC')).toThrow(/is no time/);
  });
});
