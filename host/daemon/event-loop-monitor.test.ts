import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../test/fakes/waiting.js';
import { LoopWatch } from './event-loop-monitor.js';
import type { LoopDelay } from '../store/daemon-state.js';

function watchLoop(): LoopDelay[] {
  const told: LoopDelay[] = [];
  const watch = new LoopWatch({ onChange: (delay) => told.push(delay), checkIntervalMs: 50 });
  watch.start();
  onTestFinished(() => {
    watch.stop();
  });
  return told;
}

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('the loop watch', () => {
  it('tells how long a quiet loop was held', async () => {
    const told = watchLoop();
    block(300);
    await until(() => {
      expect(told.at(-1)?.longestMs).toBeGreaterThan(200);
    });
  });

  it('tells how long a busy loop was held, also when that was shorter than the time between two checks', async () => {
    const told = watchLoop();
    const work = setInterval(() => {
      block(30);
    }, 5);
    onTestFinished(() => {
      clearInterval(work);
    });
    await until(() => {
      expect(told.at(-1)?.longestMs).toBeGreaterThanOrEqual(20);
      expect(told.at(-1)?.p99Ms).toBeGreaterThanOrEqual(20);
    });
  });
});
