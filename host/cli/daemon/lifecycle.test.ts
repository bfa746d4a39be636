import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { DaemonLock } from '../../store/home/daemon-lock.js';
import { CommandLine, type RunningCommand } from '../../../test/fakes/command-line.js';
import { daemonWords } from '../../../test/fakes/daemon-words.js';
import { until } from '../../../test/fakes/waiting.js';

interface Status {
  readonly running: boolean;
  readonly pid: number;
}

const slow = { timeout: 30_000 };

describe("the daemon's life", () => {
  let cli: CommandLine;
  const begun: RunningCommand[] = [];

  beforeEach(() => {
    cli = new CommandLine();
  });

  afterEach(async () => {
    for (const command of begun.splice(0)) {
      command.stop();
      await command.result;
    }
    await cli.run('stop');
    cli[Symbol.dispose]();
  });

  async function startHere(...flags: string[]): Promise<RunningCommand> {
    const command = cli.begin('start', '--runtime', 'process', ...flags);
    begun.push(command);
    await until(() => {
      expect(command.stdout()).toContain(flags.includes('--json') ? '"ready":true' : 'Ready: ');
    });
    return command;
  }

  function daemonLog(): string {
    return readFileSync(join(cli.home, 'data', 'logs', 'daemon.log'), 'utf8');
  }

  function forgetLastMigration(): void {
    const path = join(cli.home, 'data', 'central.db');
    withDatabase(path, { mode: 'write', busyTimeoutMs: 1_000, journal: 'wal' }, (db) => {
      db.exec('DELETE FROM schema_migrations WHERE id = (SELECT max(id) FROM schema_migrations)');
    });
  }

  it('says that it does not answer where something holds it up', slow, async () => {
    await cli.run('start', '--detach', '--runtime', 'process');
    const { pid } = await cli.json<Status>('status');
    expect(await cli.json('status')).toMatchObject({ running: true, answers: true });
    process.kill(pid, 'SIGSTOP');
    try {
      expect((await cli.run('status')).stdout).toContain(`does not answer (pid ${pid})`);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  it('says that nothing runs, with exit code 1, and that there is nothing to stop', async () => {
    expect(await cli.run('status')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('not running') as string,
    });
    expect(JSON.parse((await cli.run('status', '--json')).stdout)).toMatchObject({
      running: false,
      home: cli.home,
      counts: { activeSessions: 0, due: 0 },
    });
    expect(await cli.json('stop')).toEqual({ wasRunning: false, leftRunning: [] });
    expect(existsSync(join(cli.home, 'data'))).toBe(false);
  });

  it('runs in the foreground, says when it is ready and what isolates nothing, and stops', async () => {
    const daemon = await startHere();
    expect(daemon.stdout()).toContain(join(cli.home, 'data', 'terminal.sock'));
    expect(daemon.stdout()).toContain('nothing isolates them');
    expect(await cli.json('status')).toMatchObject({
      running: true,
      phase: 'ready',
      pid: process.pid,
      runtime: 'process',
      isolates: false,
      channels: { terminal: 'running' },
      counts: { activeSessions: 0, runningContainers: 0, due: 0, deadLetters: 0 },
    });
    const { stdout, exitCode } = await cli.run('status');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('process, isolates nothing');
    daemon.stop();
    expect((await daemon.result).exitCode).toBe(0);
    expect((await cli.run('status')).exitCode).toBe(1);
    expect(daemonLog()).toMatch(/"msg":"stopped"\}\n$/);
  });

  it(
    'is read and ended also where .env became unusable meanwhile; only a start is refused',
    slow,
    async () => {
      await cli.run('start', '--detach', '--runtime', 'process');
      writeFileSync(join(cli.home, '.env'), 'BERTH_MAX_CONTAINERS=lots\n');
      const restarted = await cli.run('restart');
      expect(restarted).toMatchObject({ exitCode: 1, stdout: '' });
      expect(restarted.stderr).toContain('BERTH_MAX_CONTAINERS (.env) cannot be used');
      for (const words of [['status'], ['sessions', 'list'], ['logs'], ['stop']]) {
        const result = await cli.run(...words);
        expect(result).toMatchObject({ exitCode: 0 });
        expect(result.stderr).toMatch(/BERTH_MAX_CONTAINERS.*The next start will be refused/);
      }
      expect((await cli.run('start', '--detach')).stderr).toContain('cannot be used');
      expect((await cli.run('start')).exitCode).toBe(1);
      expect((await cli.run('chat', 'hello')).exitCode).toBe(1);
    },
  );

  it('is read and ended also where .env cannot be read', slow, async () => {
    await cli.run('start', '--detach', '--runtime', 'process');
    mkdirSync(join(cli.home, '.env'));
    for (const words of [['status'], ['sessions', 'list'], ['stop']]) {
      const result = await cli.run(...words);
      expect(result.exitCode).toBe(0);
      expect(result.stderr).toMatch(/\.env cannot be read\. The next start will be refused/);
    }
    expect((await cli.failure('start', '--detach')).code).toBe('config_invalid');
  });

  it('says which containers it could not end, with exit code 1', async () => {
    cli.store((store) => {
      store.daemonState.write({ ...daemonWords, leftRunning: ['s-old'] }, daemonWords.startedAt);
    });
    expect(await cli.json('stop')).toEqual({ wasRunning: false, leftRunning: [] });
    const held = DaemonLock.acquire(join(cli.home, 'data', 'daemon.lock'));
    const stopping = cli.begin('stop');
    // It has seen the daemon then, and waits.
    await new Promise(setImmediate);
    cli.store((store) => {
      store.daemonState.write({ ...daemonWords, leftRunning: ['s-1'] }, daemonWords.startedAt);
    });
    held.release();
    const { exitCode, stdout } = await stopping.result;
    expect(exitCode).toBe(1);
    expect(stdout).toContain('could not end the containers of these sessions:\n  s-1\nThey may');
  });

  it('says by whose word agents are isolated where it cannot see that', async () => {
    const held = DaemonLock.acquire(join(cli.home, 'data', 'daemon.lock'));
    const unverified = 'the engine runs agents out of sight';
    cli.store((store) => {
      const words = { ...daemonWords, runtime: 'docker', isolates: true, unverified };
      store.daemonState.write(words, daemonWords.startedAt);
    });
    expect(await cli.json('status')).toMatchObject({ isolates: true, unverified });
    expect((await cli.run('status')).stdout).toContain(
      "docker, isolates agents (by the engine's word alone: the engine runs agents out of sight)",
    );
    held.release();
  });

  it('asks for isolation by what the last daemon wrote down, however far the next one came', async () => {
    cli.store((store) => {
      const words = { ...daemonWords, runtime: null, isolates: true };
      store.daemonState.write(words, daemonWords.startedAt);
    });
    writeFileSync(join(cli.home, '.env'), 'DOCKER_HOST=unix:///nowhere/docker.sock\n');
    const daemon = cli.begin('start', '--runtime', 'auto');
    begun.push(daemon);
    await until(() => {
      expect(daemon.stdout()).toContain('wait until they can again');
    });
    expect(daemon.stdout()).not.toContain('nothing isolates them');
    daemon.stop();
    await daemon.result;
  });

  it('says what is long at 80 columns', slow, async () => {
    cli.columns = 80;
    await cli.run('start', '--detach', '--runtime', 'process');
    const { stdout } = await cli.run('status');
    expect(stdout).toMatch(/remark +Agents run .*\n +\S/);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('refuses a second daemon, which is no trouble for --detach', async () => {
    await startHere();
    const failure = await cli.failure('start');
    expect(failure).toMatchObject({
      code: 'daemon_running',
      next: expect.stringContaining('berth stop') as string,
    });
    expect(await cli.run('start', '--detach')).toMatchObject({
      exitCode: 0,
      stdout: `The daemon runs already (pid ${process.pid}).\n`,
    });
  });

  it('stops orderly, and with exit code 1, when something happens that nobody caught', async () => {
    const daemon = await startHere();
    daemon.crash(new Error('out of luck'));
    expect((await daemon.result).exitCode).toBe(1);
    expect(daemonLog()).toContain('out of luck');
    expect((await cli.run('status')).exitCode).toBe(1);
  });

  it('prints JSON lines only in the foreground with --json', async () => {
    const daemon = await startHere('--json');
    const lines = daemon.stdout().trimEnd().split('\n');
    const told = lines.map((line) => JSON.parse(line) as unknown);
    const ready = { ready: true, pid: process.pid, runtime: 'process' };
    expect(told).toContainEqual(expect.objectContaining(ready));
  });

  it('changes nothing beneath a daemon of an older version, and still says how it is', async () => {
    await startHere();
    forgetLastMigration();
    const next = expect.stringContaining('berth') as string;
    expect(await cli.failure('migrate')).toMatchObject({ code: 'daemon_running', next });
    expect(await cli.failure('agent-groups', 'create', 'Helper')).toMatchObject({
      code: 'daemon_running',
      next: expect.stringContaining('berth restart') as string,
    });
    expect(await cli.failure('agent-groups', 'list')).toMatchObject({
      code: 'migration_refused',
      next: expect.stringContaining('berth migrate') as string,
    });
    const status = await cli.json('status');
    expect(status).toMatchObject({ running: true, pid: process.pid });
    expect(status).not.toHaveProperty('counts');
  });

  it('starts detached, is restarted as another process, and stops', slow, async () => {
    const started = await cli.json<Status>('start', '--detach', '--runtime', 'process');
    expect(started).toMatchObject({ wasRunning: false, phase: 'ready', runtime: 'process' });
    expect(await cli.json<Status>('status')).toMatchObject({ running: true, pid: started.pid });
    const restarted = await cli.json<Status>('restart', '--runtime', 'process');
    expect(restarted.pid).not.toBe(started.pid);
    expect(await cli.json('stop')).toEqual({ wasRunning: true, leftRunning: [] });
    expect((await cli.run('status')).exitCode).toBe(1);
  });

  it('is started once by many who ask at the same time', slow, async () => {
    const asked = Array.from({ length: 3 }, () =>
      cli.json<Status>('start', '--detach', '--runtime', 'process'),
    );
    const pids = (await Promise.all(asked)).map(({ pid }) => pid);
    expect(new Set(pids).size).toBe(1);
  });

  it('says why a detached daemon did not start, in its own words', slow, async () => {
    await cli.run('agent-groups', 'create', 'Helper');
    writeFileSync(join(cli.home, 'data', 'central.db'), 'no database'.repeat(1_000));
    const failure = await cli.failure('start', '--detach', '--runtime', 'process');
    expect(failure.code).toBe('daemon_failed');
    expect(failure.message).toMatch(/did not start: The database .* is damaged/);
    expect(failure.next).toContain('backup');
  });

  it.each([
    ['ends without a word', 'process.exit(3)', /did not start/],
    ['throws at once', 'throw new Error("no such module")', /no such module/],
  ])('says so when a detached daemon %s', slow, async (_how, code, message) => {
    cli.self = { command: process.execPath, args: ['-e', code, '--'] };
    const failure = await cli.failure('start', '--detach');
    expect(failure.code).toBe('daemon_failed');
    expect(failure.message).toMatch(message);
  });

  it('says so when a daemon cannot be started at all', async () => {
    cli.self = { command: '/nowhere/node', args: [] };
    expect((await cli.failure('start', '--detach')).code).toBe('daemon_failed');
  });
});

describe('berth migrate', () => {
  it('says what would be done, does it once, and says so', async () => {
    using cli = new CommandLine();
    const { pending } = await cli.json<{ pending: string[] }>('migrate', '--dry-run');
    expect(pending[0]).toBe('0001-initial.sql');
    expect(existsSync(join(cli.home, 'data'))).toBe(false);
    expect(await cli.json('migrate')).toEqual({ applied: pending, backup: null });
    expect(await cli.json('migrate', '--dry-run')).toEqual({ pending: [] });
    expect((await cli.run('migrate')).stdout).toBe('The central database is up to date.\n');
  });
});
