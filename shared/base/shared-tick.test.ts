import { afterEach, describe, expect, it, vi } from 'vitest';
import { untilSharedTick } from './shared-tick.js';

describe('a shared tick', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  function waitFrom(nowMs: number, intervalMs: number): number {
    vi.spyOn(performance, 'now').mockReturnValue(nowMs);
    return untilSharedTick(intervalMs);
  }

  it('is the same for all who wait for it, and for those with a part of its interval', () => {
    expect(waitFrom(10_020, 1_000)).toBe(980);
    expect(waitFrom(10_340, 1_000)).toBe(660);
    expect(waitFrom(10_760, 250)).toBe(240);
  });

  it('is no moment that has just been, nor one that is about to be', () => {
    expect(waitFrom(10_000, 1_000)).toBe(1_000);
    expect(waitFrom(9_999.5, 1_000)).toBe(1_000.5);
    expect(waitFrom(10_900, 1_000)).toBe(1_100);
  });

  it('comes at once for who waits for nothing', () => {
    expect(waitFrom(10_340, 0)).toBe(0);
  });
});
