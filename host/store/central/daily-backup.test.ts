import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLogger, silentLogger } from '../../../shared/base/logger.js';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { FakeClock } from '../../../test/fakes/fake-clock.js';
import { bundleWorkers, type WorkerBundles } from '../../../test/fakes/worker-bundles.js';
import { copyInProcess } from './backup-process.js';
import { openStore } from './central-db.js';
import { findNewestBackup } from './central-backup.js';
import { DailyBackup } from './daily-backup.js';
import type { Store } from '../store.js';

const hour = 60 * 60 * 1_000;
const day = 24 * hour;
const running = new AbortController().signal;

describe('the daily backup', () => {
  let root: string;
  let store: Store;
  let clock: FakeClock;
  let upMs: number;
  let daily: DailyBackup;
  let centralDb: string;
  let bundles: WorkerBundles;
  const backupsDir = (): string => join(root, 'data', 'backups');

  beforeAll(async () => {
    bundles = await bundleWorkers();
  });

  afterAll(() => {
    bundles[Symbol.dispose]();
  });

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-daily-'));
    centralDb = join(root, 'data', 'central.db');
    clock = new FakeClock();
    upMs = 5 * day;
    ({ store } = openStore(
      {
        centralDb,
        backupsDir: backupsDir(),
        migrationsDir: 'migrations',
      },
      clock.now(),
    ));
    daily = startAgain();
  });

  afterEach(() => {
    store.close();
    rmSync(root, { recursive: true, force: true });
  });

  function startAgain(
    copy: (path: string, signal: AbortSignal) => Promise<void> = (path, signal) =>
      copyInProcess({ script: bundles.centralBackup, centralDb }, path, signal),
  ): DailyBackup {
    const uptimeMs = (): number => upMs;
    return new DailyBackup({ backupsDir: backupsDir(), copy, clock, uptimeMs, log: silentLogger });
  }

  /** Time goes by, for the clock and the machine. */
  function pass(ms: number): void {
    clock.advance(ms);
    upMs += ms;
  }

  function backups(): readonly string[] {
    return readdirSync(backupsDir()).sort();
  }

  it('is made once a day while the daemon runs, and the newest seven are kept', async () => {
    for (let days = 0; days < 10; days += 1) {
      expect(await daily.backUpIfDue(running)).toBeDefined();
      pass(23 * hour);
      expect(await daily.backUpIfDue(running)).toBeUndefined();
      pass(hour);
    }
    expect(backups()).toHaveLength(7);
    const newest = findNewestBackup(backupsDir(), clock.now())!;
    expect(basename(newest.path)).toBe(backups().at(-1));
    const tables = withDatabase(newest.path, { mode: 'read', busyTimeoutMs: 0 }, (db) =>
      db.prepare<[], string>(`SELECT name FROM sqlite_schema`).pluck().all(),
    );
    expect(tables).toContain('sessions');
  });

  it('is not made again by a start on the same day, and is by one on the next', async () => {
    await daily.backUpIfDue(running);
    pass(20 * hour);
    daily = startAgain();
    expect(await daily.backUpIfDue(running)).toBeUndefined();
    pass(4 * hour);
    expect(await daily.backUpIfDue(running)).toBeDefined();
  });

  it('is made after the machine slept', async () => {
    await daily.backUpIfDue(running);
    pass(3 * day);
    expect(await daily.backUpIfDue(running)).toBeDefined();
    expect(backups()).toHaveLength(2);
  });

  it.each([-400 * day, -hour, hour, 400 * day])(
    'is made once a day when the clock is set by %d ms, and again and again',
    async (jump) => {
      await daily.backUpIfDue(running);
      for (let times = 0; times < 5; times += 1) {
        clock.advance(times % 2 === 0 ? jump : -jump);
        pass(hour);
        expect(await daily.backUpIfDue(running)).toBeUndefined();
      }
      pass(19 * hour);
      expect(await daily.backUpIfDue(running)).toBeDefined();
    },
  );

  it('is made, and stays, where all others are from a time that has not come yet', async () => {
    clock.advance(400 * day);
    for (let days = 0; days < 7; days += 1) {
      await daily.backUpIfDue(running);
      pass(day);
    }
    clock.advance(-400 * day);
    daily = startAgain();
    const path = (await daily.backUpIfDue(running))!;
    expect(backups()).toContain(basename(path));
    expect(backups()).toHaveLength(7);
    expect(findNewestBackup(backupsDir(), clock.now())?.path).toBe(path);
    // Starts on the same day make no more of them.
    expect(await startAgain().backUpIfDue(running)).toBeUndefined();
  });

  it('that is damaged takes no place of a good one, and is tried again', async () => {
    await daily.backUpIfDue(running);
    pass(day);
    const lines: string[] = [];
    const log = createLogger('info', { write: (line) => lines.push(line) });
    const copy = (path: string): Promise<void> => {
      writeFileSync(path, 'SQLite format 3\0 and then nothing'.repeat(200));
      return Promise.resolve();
    };
    const uptimeMs = (): number => upMs;
    const broken = new DailyBackup({ backupsDir: backupsDir(), copy, clock, uptimeMs, log });
    expect(await broken.backUpIfDue(running)).toBeUndefined();
    expect(lines).toEqual([expect.stringContaining('central database not backed up')]);
    expect(backups().filter((name) => name.startsWith('central-'))).toHaveLength(1);
    expect(await daily.backUpIfDue(running)).toBeDefined();
    expect(backups()).toHaveLength(2);
  });

  it('is given up in the middle when the daemon ends', async () => {
    for (let count = 0; count < 2_000; count += 1) {
      const id = `ag-${count}`;
      const containerConfig = JSON.stringify({ note: 'x'.repeat(1_000) });
      store.agentGroups.insert({
        ...{ id, name: id, folder: id, isAdmin: false, provider: null, containerConfig },
        createdAt: clock.iso(),
      });
    }
    const stopping = new AbortController();
    const made = daily.backUpIfDue(stopping.signal);
    stopping.abort();
    expect(await made).toBeUndefined();
    expect(await daily.backUpIfDue(running)).toBeDefined();
    expect(backups()).toHaveLength(1);
  });
});
