import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DaemonLock, isDaemonLockHeld } from './daemon-lock.js';
import { until } from '../../../test/fakes/waiting.js';

describe('the lock of the daemon', () => {
  let root: string;
  let path: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-lock-'));
    path = join(root, 'data', 'daemon.lock');
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  it('is held by one at a time', () => {
    expect(isDaemonLockHeld(path)).toBe(false);
    const lock = DaemonLock.acquire(path);
    expect(isDaemonLockHeld(path)).toBe(true);
    expect(() => DaemonLock.acquire(path)).toThrow(
      expect.objectContaining({ code: 'daemon_running' }),
    );
    expect(isDaemonLockHeld(path)).toBe(true);
    lock.release();
    expect(isDaemonLockHeld(path)).toBe(false);
    DaemonLock.acquire(path).release();
  });

  it('is free again when its holder was killed', async () => {
    DaemonLock.acquire(path).release();
    const script = `const Database = require('better-sqlite3');
      const db = new Database(${JSON.stringify(path)});
      db.exec('BEGIN EXCLUSIVE');
      process.stdout.write('held');
      setInterval(() => {}, 1000);`;
    const holder = execa(process.execPath, ['-e', script], { reject: false });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    expect(isDaemonLockHeld(path)).toBe(true);
    holder.kill('SIGKILL');
    await holder;
    expect(isDaemonLockHeld(path)).toBe(false);
    const lock = DaemonLock.acquire(path);
    await until(() => {
      expect(isDaemonLockHeld(path)).toBe(true);
    });
    lock.release();
  });

  it('is not kept from a daemon by somebody who only reads', () => {
    DaemonLock.acquire(path).release();
    for (let reads = 0; reads < 10; reads += 1) {
      expect(isDaemonLockHeld(path)).toBe(false);
      DaemonLock.acquire(path).release();
    }
  });

  it('says what is wrong with a file that is no lock', () => {
    DaemonLock.acquire(path).release();
    writeFileSync(path, 'a file of somebody else, longer than a header'.repeat(100));
    expect(() => DaemonLock.acquire(path)).toThrow(
      expect.objectContaining({ code: 'database_corrupt' }),
    );
  });
});
