import { afterEach, describe, expect, it, vi } from 'vitest';
import { delay } from './lifecycle.js';
import { createLogger, silentLogger } from './logger.js';
import { PollLoop, type PollLoopDeps } from './poll-loop.js';
import { until } from '../../test/fakes/waiting.js';

describe('a poll loop', () => {
  const loops: PollLoop[] = [];

  afterEach(() => Promise.all(loops.splice(0).map((loop) => loop.stop())));

  function startLoop(look: PollLoopDeps['look'], more: Partial<PollLoopDeps> = {}): PollLoop {
    const deps = { name: 'test', look, intervalMs: 60_000, log: silentLogger, ...more };
    const loop = new PollLoop(deps);
    loops.push(loop);
    loop.start();
    return loop;
  }

  function expectLooks(look: (...args: never[]) => unknown, count: number): Promise<void> {
    return until(() => {
      expect(look).toHaveBeenCalledTimes(count);
    });
  }

  it('looks at its start and at every nudge', async () => {
    const look = vi.fn();
    const loop = startLoop(look);
    await expectLooks(look, 1);
    loop.nudge();
    await expectLooks(look, 2);
    loop.nudge();
    await expectLooks(look, 3);
  });

  it('looks by itself when nobody nudges', async () => {
    const look = vi.fn();
    startLoop(look, { intervalMs: 5 });
    await until(() => {
      expect(look.mock.calls.length).toBeGreaterThan(3);
    });
  });

  it('looks once more for all nudges that come during a look', async () => {
    const gates: (() => void)[] = [];
    const look = vi.fn(() => new Promise<void>((resolve) => gates.push(resolve)));
    const loop = startLoop(look);
    await expectLooks(look, 1);
    loop.nudge();
    loop.nudge();
    expect(look).toHaveBeenCalledTimes(1);
    gates[0]?.();
    await expectLooks(look, 2);
    gates[1]?.();
    await delay(20);
    expect(look).toHaveBeenCalledTimes(2);
  });

  it('starts once', async () => {
    const look = vi.fn();
    const loop = startLoop(look);
    loop.start();
    await delay(20);
    expect(look).toHaveBeenCalledTimes(1);
  });

  it('logs a look that failed, and goes on', async () => {
    const lines: string[] = [];
    const log = createLogger('error', { write: (line) => lines.push(line) });
    const look = vi.fn(() => Promise.reject(new Error('broken')));
    const loop = startLoop(look, { log });
    await expectLooks(look, 1);
    loop.nudge();
    await expectLooks(look, 2);
    expect(lines[0]).toContain('"loop":"test"');
  });

  it('lets a look end when it is stopped, tells it so, and begins no other', async () => {
    const look = vi.fn((signal: AbortSignal) => delay(60_000, signal));
    const loop = startLoop(look);
    await expectLooks(look, 1);
    loop.nudge();
    await loop.stop();
    loop.nudge();
    await delay(20);
    expect(look).toHaveBeenCalledTimes(1);
    expect(look.mock.calls[0]?.[0].aborted).toBe(true);
  });

  it('can be stopped before it was started', async () => {
    const look = vi.fn();
    const loop = new PollLoop({ name: 'test', look, intervalMs: 5, log: silentLogger });
    await loop.stop();
    loop.start();
    await delay(20);
    expect(look).not.toHaveBeenCalled();
  });
});
