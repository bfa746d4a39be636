import { describe, expect, it } from 'vitest';
import { describeCrashPause, planCrashPause } from './crash-pause.js';

const nowMs = Date.parse('2026-01-31T12:00:00.000Z');

function crashesAgo(...seconds: number[]): readonly string[] {
  return seconds.map((ago) => new Date(nowMs - ago * 1_000).toISOString());
}

describe('the pause after crashes', () => {
  it.each<[string, readonly number[], number | undefined]>([
    ['there were none', [], undefined],
    ['there was one', [1], undefined],
    ['there were two', [60, 1], 1_000],
    ['there were three', [120, 60, 1], 2_000],
    ['there were many', Array.from({ length: 20 }, (_, index) => index), 60_000],
    ['they were long ago', [900, 800, 700, 301], undefined],
    ['the clock was set back since', [-10, -20, -30], undefined],
  ])('when %s', (_, ago, waitMs) => {
    expect(planCrashPause(crashesAgo(...ago), nowMs)?.waitMs).toBe(waitMs);
  });

  it('is told in one sentence', () => {
    expect(describeCrashPause({ crashes: 3, waitMs: 2_000 })).toBe(
      'Berth has crashed 3 times in the last minutes and starts in 2 s; `berth logs` tells why.',
    );
  });
});
