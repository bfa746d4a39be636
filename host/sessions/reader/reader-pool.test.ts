/** The reader processes themselves: real children, real files. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/fakes/fake-clock.js';
import { FakeRunner } from '../../../test/fakes/fake-runner.js';
import { until } from '../../../test/fakes/waiting.js';
import { bundleWorkers, type WorkerBundles } from '../../../test/fakes/worker-bundles.js';
import { silentLogger } from '../../../shared/base/logger.js';
import { migrateByVersion, readMigrations } from '../../../shared/base/sqlite/migrate.js';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { linkView } from '../../../shared/protocol/mailbox/outbound-view.js';
import { outboundDbPath } from '../../../shared/protocol/workspace.js';
import { placeOf } from './reader-calls.js';
import { ReaderPool } from './reader-pool.js';
import { readerUserFor } from './reader-user.js';

const page = { after: 0, limit: 100, acksOf: [] };

describe('reading what a container wrote, in a process of its own', () => {
  let bundles: WorkerBundles;
  let folder: string;
  let pool: ReaderPool;

  beforeAll(async () => {
    bundles = await bundleWorkers();
  });

  afterAll(() => {
    bundles[Symbol.dispose]();
  });

  beforeEach(() => {
    // Below a folder that lets everybody through.
    folder = mkdtempSync('/tmp/berth-readers-');
    chmodSync(folder, 0o711);
    const { user } = readerUserFor({ sessionsDir: folder });
    pool = new ReaderPool({
      settings: {
        script: bundles.reader,
        folder,
        user,
      },
      log: silentLogger,
      onSlowDisk: () => undefined,
    });
  });

  afterEach(async () => {
    pool.stop();
    await until(() => {
      expect(listReaders()).toEqual([]);
    });
    rmSync(folder, { recursive: true, force: true });
  });

  /** A session whose runner has said these. */
  function addSession(id: string, ...texts: string[]): FakeRunner {
    const outDir = join(folder, id, 'out');
    mkdirSync(outDir, { recursive: true, mode: 0o755 });
    const runner = new FakeRunner(outDir, new FakeClock());
    runner.sayAll(texts);
    linkView(outboundDbPath(outDir), join(folder, id, 'view'));
    return runner;
  }

  async function textsOf(id: string): Promise<readonly (string | null)[]> {
    const found = await pool.ask(id, placeOf(id), 'readPage', [page]);
    return (found?.rows ?? []).map(({ content }) => content);
  }

  function isReader(pid: number): boolean {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(bundles.reader);
    } catch {
      return false;
    }
  }

  function listReaders(): readonly number[] {
    const pids = readdirSync('/proc').map(Number);
    return pids.filter((pid) => pid > 0 && isReader(pid));
  }

  it('gives rows, acks and the highest number of one moment', async () => {
    const runner = addSession('s-1', 'one', 'two');
    runner.complete('m-1');
    const found = await pool.ask('s-1', placeOf('s-1'), 'readPage', [{ ...page, acksOf: ['m-1'] }]);
    expect(found?.rows.map(({ id, seq }) => [id, seq])).toEqual([
      ['one', 1],
      ['two', 3],
    ]);
    expect(found?.acks.get('m-1')).toMatchObject({ status: 'completed', tries: 0 });
    expect(found).toMatchObject({ maxSeq: 3, isLast: true });
  });

  it('answers with at most a mebibyte of content, and with one row at least', async () => {
    const large = { content: JSON.stringify({ text: 'x'.repeat(700_000) }) };
    const runner = addSession('s-1');
    for (const id of ['a', 'b', 'c']) runner.say(id, large);
    const found = await pool.ask('s-1', placeOf('s-1'), 'readPage', [page]);
    expect(found?.rows.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(found?.isLast).toBe(false);
  });

  it('stays who the daemon is where a folder above lets nobody through', () => {
    const inner = join(folder, 'closed', 'data', 'sessions');
    mkdirSync(inner, { recursive: true });
    chmodSync(join(folder, 'closed', 'data'), 0o700);
    const paths = { sessionsDir: inner, dataDir: join(folder, 'closed', 'data') };
    expect(readerUserFor(paths, 0).user).not.toBeNull();
    chmodSync(join(folder, 'closed'), 0o700);
    expect(readerUserFor(paths, 0)).toEqual({ user: null, closedFolder: join(folder, 'closed') });
    expect(readerUserFor(paths, 1_000).user).toBeNull();
  });

  it('runs with an empty environment, as nobody where it may, and is the first that memory costs its life', async () => {
    addSession('s-1', 'one');
    await textsOf('s-1');
    const [pid = 0, ...others] = listReaders();
    expect(others).toEqual([]);
    expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toMatch(/HOME|PATH|BERTH/);
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1').trim()).toBe('900');
    const uid = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    expect(uid).toBe(process.getuid?.() === 0 ? '64998' : String(process.getuid?.()));
  });

  it('names the whole path of a file that it cannot use', async () => {
    addSession('s-1', 'one');
    withDatabase(
      outboundDbPath(join(folder, 's-1', 'out')),
      { mode: 'write', busyTimeoutMs: 0 },
      (db) => db.exec('DROP TABLE processing_ack'),
    );
    const path = outboundDbPath(join(folder, 's-1', 'out'));
    await expect(textsOf('s-1')).rejects.toMatchObject({
      code: 'database_corrupt',
      facts: { path },
    });
  });

  it('asks for a second name where the file has none, and takes its own where it cannot have one', async () => {
    addSession('s-1', 'one');
    rmSync(join(folder, 's-1', 'view'), { recursive: true });
    await expect(textsOf('s-1')).rejects.toMatchObject({ facts: { needsView: true } });
    const place = { ...placeOf('s-1'), viewDir: null };
    const found = await pool.ask('s-1', place, 'readPage', [page]);
    expect(found?.rows).toHaveLength(1);
  });

  it('ends with the daemon', async () => {
    addSession('s-1', 'one');
    await textsOf('s-1');
    expect(listReaders()).toHaveLength(1);
    pool.stop();
    await until(() => {
      expect(listReaders()).toEqual([]);
    });
    await expect(textsOf('s-1')).rejects.toMatchObject({ code: 'resources_short' });
  });

  it('is made anew where somebody has ended it', async () => {
    addSession('s-1', 'one');
    await textsOf('s-1');
    for (const pid of listReaders()) process.kill(pid, 'SIGKILL');
    await until(async () => {
      expect(await textsOf('s-1')).toHaveLength(1);
    });
  });

  describe('that keeps its reader busy', () => {
    const holders: ChildProcess[] = [];

    afterEach(() => {
      for (const holder of holders.splice(0)) holder.kill('SIGKILL');
    });

    /** A process that opens the file waits for this to give its lease back, which it does not. */
    async function holdLease(path: string): Promise<void> {
      const script = `import fcntl, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
f = open(sys.argv[1], 'r+b')
fcntl.fcntl(f, 1024, fcntl.F_WRLCK)
print('held', flush=True)
time.sleep(60)`;
      const holder = spawn('python3', ['-c', script, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      holders.push(holder);
      await once(holder.stdout, 'data');
    }

    it('is given up after two tries, while others are answered', async () => {
      addSession('s-bad', 'one').leave();
      addSession('s-good', 'two');
      await textsOf('s-good');
      await holdLease(outboundDbPath(join(folder, 's-bad', 'out')));
      const beganAt = performance.now();
      const bad = textsOf('s-bad');
      bad.catch(() => undefined);
      const times: number[] = [];
      for (let i = 0; i < 20; i += 1) {
        const askedAt = performance.now();
        expect(await textsOf('s-good')).toHaveLength(1);
        times.push(performance.now() - askedAt);
      }
      await expect(bad).rejects.toMatchObject({
        code: 'database_corrupt',
        facts: { isHostile: true },
      });
      expect(performance.now() - beganAt).toBeLessThan(20_000);
      expect(times.toSorted((a, b) => a - b)[10]).toBeLessThan(500);
    });
  });

  it('rolls back and rebuilds in a folder that was given to it', async () => {
    addSession('s-1', 'one', 'two');
    const workDir = join(folder, 's-1', 'repair', 'out');
    mkdirSync(workDir, { recursive: true, mode: 0o777 });
    chmodSync(workDir, 0o777);
    execFileSync('cp', [outboundDbPath(join(folder, 's-1', 'out')), join(workDir, 'copy.db')]);
    const request = {
      copy: join('s-1', 'repair', 'out', 'copy.db'),
      draft: join('s-1', 'repair', 'out', 'draft.db'),
      migrations: readMigrations('migrations/outbound').slice(0, 1),
    };
    const salvage = await pool.ask('s-1', placeOf('s-1'), 'rebuildOutbound', [request]);
    expect(salvage).toMatchObject({ messageCount: 2, isComplete: true, isRolledBack: false });
    expect(existsSync(join(workDir, 'draft.db'))).toBe(true);
  });

  it('makes a fresh inbound.db likewise, with what a transaction had begun taken back', async () => {
    const workDir = join(folder, 's-1', 'repair', 'in');
    mkdirSync(workDir, { recursive: true, mode: 0o777 });
    chmodSync(workDir, 0o777);
    const migrations = readMigrations('migrations/inbound');
    const copy = join(workDir, 'copy.db');
    withDatabase(copy, { mode: 'create', busyTimeoutMs: 0 }, (db) => {
      migrateByVersion(db, migrations);
      const values = (id: string, seq: number): string =>
        `('${id}', ${seq}, 'chat', '', 'pending', '${'x'.repeat(3_000)}')`;
      const insert = 'INSERT INTO messages_in (id, seq, kind, timestamp, status, content) VALUES';
      db.exec(`${insert} ${values('m-1', 2)}`);
      db.pragma('cache_size = 1');
      db.exec(`BEGIN; DELETE FROM messages_in; ${insert} ${values('m-2', 4)}, ${values('m-3', 6)}`);
      // As a killed writer leaves them: pages of the transaction are in the file.
      for (const name of ['copy.db', 'copy.db-journal']) {
        execFileSync('cp', [join(workDir, name), join(workDir, `torn-${name}`)]);
      }
      db.exec('ROLLBACK');
    });
    for (const name of ['copy.db', 'copy.db-journal']) {
      execFileSync('mv', [join(workDir, `torn-${name}`), join(workDir, name)]);
    }
    execFileSync('chmod', ['-R', 'a+rw', workDir]);
    const inWorkDir = (name: string): string => join('s-1', 'repair', 'in', name);
    const request = {
      copy: inWorkDir('copy.db'),
      draft: inWorkDir('draft.db'),
      migrations,
    };
    const salvage = await pool.ask('s-1', placeOf('s-1'), 'rebuildInbound', [request]);
    expect(salvage).toMatchObject({ messageCount: 1, isComplete: true, hasAllOutcomes: true });
    const draft = join(workDir, 'draft.db');
    const ids = withDatabase(draft, { mode: 'read', busyTimeoutMs: 0 }, (db) =>
      db.prepare('SELECT id FROM messages_in').pluck().all(),
    );
    expect(ids).toEqual(['m-1']);
  });
});
