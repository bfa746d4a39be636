import { describe, expect, it } from 'vitest';
import { SingleFlight } from './single-flight.js';
import { until } from '../../test/fakes/waiting.js';

/** Work that is let go by hand: each run for a key ends when it is finished. */
class HeldWork {
  readonly begun: string[] = [];
  readonly #release = new Map<string, () => void>();

  readonly run = (key: string): Promise<void> => {
    this.begun.push(key);
    return new Promise((resolve) => this.#release.set(key, resolve));
  };

  finish(key: string): void {
    this.#release.get(key)?.();
  }

  expectBegun(...keys: string[]): Promise<void> {
    return until(() => {
      expect(this.begun).toEqual(keys);
    });
  }
}

describe('single flight', () => {
  it('runs one piece of work per key at a time, and once more for all requests meanwhile', async () => {
    const work = new HeldWork();
    const flights = new SingleFlight(work.run);
    const first = flights.request('a');
    await work.expectBegun('a');
    const later = [flights.request('a'), flights.request('a'), flights.request('a')];
    work.finish('a');
    await work.expectBegun('a', 'a');
    work.finish('a');
    await Promise.all([first, ...later]);
    expect(work.begun).toEqual(['a', 'a']);
  });

  it('takes requests together that come before the work has begun', async () => {
    const work = new HeldWork();
    const flights = new SingleFlight(work.run);
    const requests = [flights.request('a'), flights.request('a')];
    await work.expectBegun('a');
    work.finish('a');
    await Promise.all(requests);
    expect(work.begun).toEqual(['a']);
  });

  it('runs different keys side by side', async () => {
    const work = new HeldWork();
    const flights = new SingleFlight(work.run);
    const slow = flights.request('a');
    const quick = flights.request('b');
    await work.expectBegun('a', 'b');
    work.finish('b');
    await quick;
    const again = flights.request('b');
    await work.expectBegun('a', 'b', 'b');
    work.finish('a');
    work.finish('b');
    await Promise.all([slow, again]);
  });

  it('is idle when everything that was asked for has ended', async () => {
    const work = new HeldWork();
    const flights = new SingleFlight(work.run);
    await flights.idle();
    void flights.request('a');
    await work.expectBegun('a');
    void flights.request('a');
    let isIdle = false;
    const idle = flights.idle().then(() => (isIdle = true));
    work.finish('a');
    await work.expectBegun('a', 'a');
    expect(isIdle).toBe(false);
    work.finish('a');
    await idle;
  });
});
