import { describe, expect, it } from 'vitest';
import { Deadline, delay } from './lifecycle.js';

describe('delay', () => {
  it('resolves after its time', async () => {
    const startedAt = performance.now();
    await delay(20);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(19);
  });

  it('resolves at once when its signal aborts, also before it began', async () => {
    const aborting = new AbortController();
    const waiting = delay(60_000, aborting.signal);
    aborting.abort();
    await waiting;
    await delay(60_000, aborting.signal);
    expect(aborting.signal.aborted).toBe(true);
  });
});

describe('a deadline', () => {
  it('tells what is left, and never less than nothing', async () => {
    const deadline = new Deadline(10);
    expect(deadline.remainingMs()).toBeLessThanOrEqual(10);
    await delay(15);
    expect(deadline.remainingMs()).toBe(0);
  });

  it('waits for work no longer than what is left', async () => {
    const never = new Promise(() => undefined);
    const deadline = new Deadline(10);
    expect(await deadline.wait(Promise.resolve())).toBe('done');
    expect(await deadline.wait(never)).toBe('late');
  });

  it('gives some of the steps a share of what is left', () => {
    const share = new Deadline(1_000).part(0.5).remainingMs();
    expect(share).toBeGreaterThan(400);
    expect(share).toBeLessThanOrEqual(500);
  });

  it('passes on the failure of the work', async () => {
    const failing = Promise.reject(new Error('no'));
    await expect(new Deadline(1_000).wait(failing)).rejects.toThrow('no');
  });
});
