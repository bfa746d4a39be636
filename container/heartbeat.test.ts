import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../shared/base/logger.js';
import { Heartbeat } from './heartbeat.js';

describe('the heartbeat file', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-heartbeat-'));
    path = join(folder, 'heartbeat');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function newHeartbeat(intervalMs: number, at = path): Heartbeat {
    return new Heartbeat({ path: at, intervalMs, log: silentLogger });
  }

  it('is made by the first beat and touched by later ones', () => {
    const heartbeat = newHeartbeat(0);
    heartbeat.beat();
    utimesSync(path, 0, 0);
    heartbeat.beat();
    expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(5_000);
  });

  it('is touched no more often than its interval', () => {
    const heartbeat = newHeartbeat(60_000);
    heartbeat.beat();
    utimesSync(path, 0, 0);
    heartbeat.beat();
    expect(statSync(path).mtimeMs).toBe(0);
  });

  it('tells at once what silence is announced, and that it is over', () => {
    const heartbeat = newHeartbeat(60_000);
    heartbeat.beat();
    heartbeat.beat(90_000.5);
    expect(readFileSync(path, 'utf8')).toBe('90001\n');
    heartbeat.beat();
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('takes back what an earlier runner announced', () => {
    newHeartbeat(0).beat(60_000);
    newHeartbeat(0).beat();
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('does not end a turn when it cannot be written', () => {
    const heartbeat = newHeartbeat(0, join(folder, 'gone', 'heartbeat'));
    heartbeat.beat();
    heartbeat.beat();
    expect(statSync(folder).isDirectory()).toBe(true);
  });
});
