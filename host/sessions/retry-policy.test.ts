import { describe, expect, it } from 'vitest';
import { backoffMs, planRetry, failuresInRound, nextRound } from './retry-policy.js';

describe('retries', () => {
  const limits = { tries: 5, baseMs: 5_000 };

  it.each([
    [1, 5_000],
    [2, 10_000],
    [3, 20_000],
    [4, 40_000],
  ])('after %i failures wait %i ms', (failures, waitMs) => {
    expect(planRetry(failures, limits, 0.5)).toEqual({ kind: 'retry', waitMs });
  });

  it.each([5, 6, 100])('are over after %i failures of five tries', (failures) => {
    expect(planRetry(failures, limits, 0.5)).toEqual({ kind: 'give-up' });
  });

  it('are none where one try is all', () => {
    expect(planRetry(1, { tries: 1, baseMs: 5_000 }, 0.5)).toEqual({ kind: 'give-up' });
  });

  it('are spread by a tenth to either side', () => {
    expect(backoffMs(1, 1_000, 0)).toBe(900);
    expect(backoffMs(1, 1_000, 0.25)).toBe(950);
    expect(backoffMs(1, 1_000, 0.999_999)).toBe(1_100);
  });

  it.each([20, 50, 1_000, 100_000])(
    'never wait much longer than an hour: %i failures',
    (failures) => {
      expect(backoffMs(failures, 5_000, 0.5)).toBe(3_600_000);
    },
  );

  it('wait the base time where nothing has failed yet', () => {
    expect(backoffMs(0, 1_000, 0.5)).toBe(1_000);
  });
});

describe('tries that a person adds', () => {
  it.each([
    [0, 0, 5],
    [4, 4, 5],
    [5, 0, 10],
    [7, 2, 10],
  ])('begin a round: after %i tries, %i failures count, and the next begins with %i', (...row) => {
    const [tries, failures, next] = row;
    const five = { tries: 5, baseMs: 1 };
    expect(failuresInRound(tries, five)).toBe(failures);
    expect(nextRound(tries, five)).toBe(next);
  });

  it('are one where one is all', () => {
    const one = { tries: 1, baseMs: 1 };
    expect(nextRound(0, one)).toBe(1);
    expect(failuresInRound(1, one)).toBe(0);
  });
});
