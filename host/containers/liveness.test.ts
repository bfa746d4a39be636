import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/fake-clock.js';
import { unreadable, Liveness, type Health } from './liveness.js';

const limits = { silenceTimeoutMs: 60_000, turnTimeoutMs: 600_000 };

describe('the liveness of a turn', () => {
  let folder: string;
  let heartbeatPath: string;
  let clock: FakeClock;
  let monotonicMs: number;
  let liveness: Liveness;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-liveness-'));
    heartbeatPath = join(folder, 'heartbeat');
    clock = new FakeClock();
    monotonicMs = 1_000;
    liveness = new Liveness({ clock, monotonicNow: () => monotonicMs });
    liveness.watch('s-1', 'c-1', limits);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function pass(ms: number): void {
    clock.advance(ms);
    monotonicMs += ms;
  }

  function beat(announced = ''): void {
    writeFileSync(heartbeatPath, announced);
    utimesSync(heartbeatPath, clock.now() / 1_000, clock.now() / 1_000);
  }

  function check(claimed: string | undefined = 'm-1', containerId = 'c-1'): Promise<Health> {
    return liveness.check('s-1', { containerId, heartbeatPath, claimed }, limits);
  }

  it('are checked only when it may be too late, and not at every message', () => {
    pass(20_000);
    expect(liveness.watch('s-1', 'c-1', limits)).toBe(40_000);
    liveness.rest('s-1');
    pass(3_600_000);
    expect(liveness.watch('s-1', 'c-1', limits)).toBe(60_000);
  });

  it('are missed after the silence that is allowed, counted from the last beat', async () => {
    pass(30_000);
    beat();
    pass(30_000);
    const health = await check();
    expect(health.kind === 'fine' && Math.abs(health.checkInMs - 30_000) < 5).toBe(true);
    pass(29_990);
    expect((await check()).kind).toBe('fine');
    pass(10);
    expect(await check()).toEqual({
      kind: 'stuck',
      reason: 'it gave no sign of life for 60 s',
    });
  });

  it('are missed where there was never a beat, or no ordinary file', async () => {
    pass(60_000);
    expect((await check()).kind).toBe('stuck');
    mkdirSync(heartbeatPath);
    expect((await check()).kind).toBe('stuck');
    rmSync(heartbeatPath, { recursive: true });
    symlinkSync('/dev/zero', heartbeatPath);
    expect((await check()).kind).toBe('stuck');
  });

  it('may be missing for as long as was announced, and no longer than a turn may take', async () => {
    beat('300000\n');
    pass(60_000);
    expect((await check()).kind).toBe('fine');
    pass(239_990);
    expect((await check()).kind).toBe('fine');
    pass(10);
    expect((await check()).kind).toBe('stuck');
    beat('999999999999\n');
    pass(1);
    expect(await check()).toEqual({ kind: 'fine', checkInMs: 359_999 });
  });

  it('do not save a turn that takes longer than it may', async () => {
    for (let minute = 0; minute < 10; minute += 1) {
      beat();
      expect((await check()).kind).toBe('fine');
      pass(60_000);
    }
    beat();
    expect(await check()).toEqual({ kind: 'stuck', reason: 'its turn took longer than 600 s' });
    expect((await check('m-2')).kind).toBe('fine');
  });

  it('do not save a turn that takes longer than it may where much silence is allowed', async () => {
    const hasty = { silenceTimeoutMs: 60_000, turnTimeoutMs: 3_000 };
    const signs = { containerId: 'c-1', heartbeatPath, claimed: 'm-1' };
    pass(60_000);
    liveness.rest('s-1');
    expect(liveness.watch('s-1', 'c-1', hasty)).toBe(300);
    pass(300);
    expect(await liveness.check('s-1', signs, hasty)).toEqual({ kind: 'fine', checkInMs: 3_000 });
    pass(3_000);
    expect((await liveness.check('s-1', signs, hasty)).kind).toBe('stuck');
  });

  it('do not begin anew where nobody can read what it is at', async () => {
    for (let minute = 0; minute < 10; minute += 1) {
      beat();
      expect((await check(minute % 2 === 0 ? 'm-1' : unreadable)).kind).toBe('fine');
      pass(60_000);
    }
    beat();
    expect((await check(unreadable)).kind).toBe('stuck');
  });

  it.each([3_600_000, -3_600_000])('survive a clock that jumps by %d ms', async (jump) => {
    beat();
    pass(59_000);
    clock.advance(jump);
    expect((await check()).kind).toBe('fine');
    beat();
    clock.advance(jump);
    pass(60_000);
    expect((await check()).kind).toBe('fine');
    pass(60_000);
    expect((await check()).kind).toBe('stuck');
  });

  it('are not asked for in the first seconds of a container, however little silence is allowed', async () => {
    const strict = { silenceTimeoutMs: 100, turnTimeoutMs: 600_000 };
    liveness.watch('s-2', 'c-2', strict);
    const signs = { containerId: 'c-2', heartbeatPath, claimed: 'm-1' };
    pass(9_999);
    expect(await liveness.check('s-2', signs, strict)).toEqual({ kind: 'fine', checkInMs: 1 });
    pass(1);
    expect((await liveness.check('s-2', signs, strict)).kind).toBe('stuck');
  });

  it('are those of one container: another one starts afresh', async () => {
    pass(60_000);
    expect((await check()).kind).toBe('stuck');
    liveness.forget('s-1');
    expect(liveness.watch('s-1', 'c-2', limits)).toBe(60_000);
  });
});
