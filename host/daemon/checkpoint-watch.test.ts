import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../shared/base/logger.js';
import { openDatabase, type Db } from '../../shared/base/sqlite/sqlite.js';
import { until } from '../../test/fakes/waiting.js';
import { bundleWorkers, type WorkerBundles } from '../../test/fakes/worker-bundles.js';
import { InboundThread } from '../sessions/mailbox/inbound-thread.js';
import { CheckpointWatch, longLogBytes } from './checkpoint-watch.js';

describe('the write-ahead log of the central database', () => {
  let bundles: WorkerBundles;
  let folder: string;
  let path: string;
  let db: Db;
  let thread: InboundThread;
  let watch: CheckpointWatch;
  let copies: number;
  let isSlow: boolean;

  beforeAll(async () => {
    bundles = await bundleWorkers();
  });

  afterAll(() => {
    bundles[Symbol.dispose]();
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-log-'));
    path = join(folder, 'central.db');
    db = openDatabase(path, { mode: 'create', busyTimeoutMs: 0, journal: 'wal' });
    db.pragma('wal_autocheckpoint = 0');
    db.exec('CREATE TABLE t (x)');
    copies = 0;
    isSlow = false;
    thread = new InboundThread({
      script: bundles.inboundThread,
      settings: { migrations: [], maxOpen: 2, idleMs: 60_000 },
      onTook: () => undefined,
      onPutRight: () => undefined,
      onFatal: () => undefined,
    });
    thread.start();
    watch = new CheckpointWatch({
      path,
      checkpoint: async (which) => {
        await thread.checkpoint(which);
        copies += 1;
      },
      isDiskSlow: () => isSlow,
      log: silentLogger,
      intervalMs: 5,
    });
    watch.start();
  });

  afterEach(async () => {
    await watch.stop();
    await thread.stop();
    db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function writeMiB(count: number): void {
    const insert = db.prepare('INSERT INTO t VALUES (randomblob(1048576))');
    for (let i = 0; i < count; i += 1) insert.run();
  }

  function logBytes(): number {
    return statSync(`${path}-wal`).size;
  }

  it('is copied into the database by the other thread when it is long, and begins anew', async () => {
    writeMiB(5);
    expect(logBytes()).toBeGreaterThan(longLogBytes);
    await until(() => {
      expect(copies).toBe(1);
      expect(statSync(path).size).toBeGreaterThan(longLogBytes);
    });
    db.exec('INSERT INTO t VALUES (1)');
    expect(logBytes()).toBe(longLogBytes);
    expect(db.prepare('SELECT count(*) FROM t').pluck().get()).toBe(6);
    // Nothing long was written since.
    for (let poll = 0; poll < 3; poll += 1) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(copies).toBe(1);
  });

  it('may grow longer where the disk is slow, and not without bounds', async () => {
    isSlow = true;
    writeMiB(10);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(copies).toBe(0);
    writeMiB(24);
    await until(() => {
      expect(copies).toBeGreaterThan(0);
    });
  });
});
