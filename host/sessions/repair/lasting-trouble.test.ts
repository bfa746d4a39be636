import { describe, expect, it } from 'vitest';
import { LastingTrouble } from './lasting-trouble.js';

describe('trouble with the files of a session', () => {
  function lastsAfter(...times: readonly number[]): boolean {
    let now = 0;
    const trouble = new LastingTrouble(() => now);
    let lasts = false;
    for (now of times) ({ lasts } = trouble.note('s-1'));
    return lasts;
  }

  it.each<[string, readonly number[], boolean]>([
    ['is seen once', [0], false],
    ['is seen twice, far apart', [0, 9_000], false],
    ['is seen often, within a moment', [0, 100, 200, 300, 400], false],
    ['is seen often, all but for the last time within a moment', [0, 100, 200, 300, 5_500], false],
    ['is seen three times within five seconds', [0, 2_000, 4_900], false],
    ['is seen three times over five seconds', [0, 2_000, 5_000], true],
    ['is seen again long after', [0, 2_000, 60_000], false],
  ])('that %s', (_, times, expected) => {
    expect(lastsAfter(...times)).toBe(expected);
  });

  it('begins anew when the files could be used meanwhile, and is that of one session', () => {
    let now = 0;
    const trouble = new LastingTrouble(() => now);
    for (now of [0, 2_000, 4_000]) trouble.note('s-1');
    now = 6_000;
    expect(trouble.note('s-2')).toEqual({ isFirst: true, lasts: false });
    trouble.clear('s-1');
    expect(trouble.note('s-1')).toEqual({ isFirst: true, lasts: false });
  });
});
