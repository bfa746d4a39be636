import { afterEach, describe, expect, it, vi } from 'vitest';
import { delay } from './lifecycle.js';
import { createLogger, silentLogger } from './logger.js';
import { PollLoop, type PollLoopDeps } from './poll-loop.js';
import { until } from '../../test/fakes/waiting.js';

describe('a poll loop', () => {
  const loops: PollLoop[] = [];

  afterEach(() => Promise.all(loops.splice(0).map((loop) => loop.stop())));

  function startLoop(poll: PollLoopDeps['poll'], more: Partial<PollLoopDeps> = {}): PollLoop {
    const deps = { name: 'test', poll, intervalMs: 60_000, log: silentLogger, ...more };
    const loop = new PollLoop(deps);
    loops.push(loop);
    loop.start();
    return loop;
  }

  function expectPolls(poll: (...args: never[]) => unknown, count: number): Promise<void> {
    return until(() => {
      expect(poll).toHaveBeenCalledTimes(count);
    });
  }

  it('polls at its start and at every nudge', async () => {
    const poll = vi.fn();
    const loop = startLoop(poll);
    await expectPolls(poll, 1);
    loop.nudge();
    await expectPolls(poll, 2);
    loop.nudge();
    await expectPolls(poll, 3);
  });

  it('polls by itself when nobody nudges', async () => {
    const poll = vi.fn();
    startLoop(poll, { intervalMs: 5 });
    await until(() => {
      expect(poll.mock.calls.length).toBeGreaterThan(3);
    });
  });

  it('polls once more for all nudges that come during a poll', async () => {
    const gates: (() => void)[] = [];
    const poll = vi.fn(() => new Promise<void>((resolve) => gates.push(resolve)));
    const loop = startLoop(poll);
    await expectPolls(poll, 1);
    loop.nudge();
    loop.nudge();
    expect(poll).toHaveBeenCalledTimes(1);
    gates[0]?.();
    await expectPolls(poll, 2);
    gates[1]?.();
    await delay(20);
    expect(poll).toHaveBeenCalledTimes(2);
  });

  it('starts once', async () => {
    const poll = vi.fn();
    const loop = startLoop(poll);
    loop.start();
    await delay(20);
    expect(poll).toHaveBeenCalledTimes(1);
  });

  it('logs a poll that failed, and goes on', async () => {
    const lines: string[] = [];
    const log = createLogger('error', { write: (line) => lines.push(line) });
    const poll = vi.fn(() => Promise.reject(new Error('broken')));
    const loop = startLoop(poll, { log });
    await expectPolls(poll, 1);
    loop.nudge();
    await expectPolls(poll, 2);
    expect(lines[0]).toContain('"loop":"test"');
  });

  it('lets a poll end when it is stopped, tells it so, and begins no other', async () => {
    const poll = vi.fn((signal: AbortSignal) => delay(60_000, signal));
    const loop = startLoop(poll);
    await expectPolls(poll, 1);
    loop.nudge();
    await loop.stop();
    loop.nudge();
    await delay(20);
    expect(poll).toHaveBeenCalledTimes(1);
    expect(poll.mock.calls[0]?.[0].aborted).toBe(true);
  });

  it('can be stopped before it was started', async () => {
    const poll = vi.fn();
    const loop = new PollLoop({ name: 'test', poll, intervalMs: 5, log: silentLogger });
    await loop.stop();
    loop.start();
    await delay(20);
    expect(poll).not.toHaveBeenCalled();
  });
});
