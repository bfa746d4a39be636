/** Checks what people ask of a daemon that runs, from the command line to the chat. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { BerthHome, mainScript } from '../fakes/berth-home.js';
import { until } from '../fakes/waiting.js';

interface Session {
  readonly id: string;
  readonly containerStatus: string;
}

it('gives what waits to a new container when a conversation is restarted, and counts no try for it', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  wire.say('hello');
  await wire.until(() => wire.replies().length === 1);
  wire.say('!sleep 2000 slow');
  await wire.until(() => wire.of('ack').length === 2);
  const [session] = await home.json<Session[]>('sessions', 'list');
  const id = session?.id ?? '';
  const restarted = await home.json('sessions', 'restart', id);
  expect(restarted).toEqual({ session: id, hadContainer: true });
  await wire.until(() => wire.replies().length === 2);
  expect(wire.replies()).toEqual(['echo: hello', 'echo: slow']);
  expect(await home.json('dead-letters', 'list')).toEqual([]);
});

it('deletes a conversation that has ended, with its files, while the daemon runs', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  wire.say('hello');
  await wire.until(() => wire.of('done').length === 1);
  const [session] = await home.json<Session[]>('sessions', 'list');
  const id = session?.id ?? '';
  const folder = join(home.home, 'data', 'sessions', id);
  expect(existsSync(folder)).toBe(true);
  await home.berth('sessions', 'close', id);
  // Its container ends first.
  await until(async () => {
    expect((await home.berth('sessions', 'delete', id)).exitCode).toBe(0);
  });
  expect(existsSync(folder)).toBe(false);
  wire.say('again');
  await wire.until(() => wire.replies().length === 2);
  expect(wire.replies().at(-1)).toBe('echo: again');
  const sessions = await home.json<Session[]>('sessions', 'list');
  expect(sessions.map((one) => one.id)).not.toContain(id);
});

it('runs a task by hand, keeps it while it is paused, and lets it go on', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  wire.say('hello');
  await wire.until(() => wire.replies().length === 1);
  const create = ['tasks', 'create', '--chat', 'terminal:local', '--text', 'water'];
  const { id } = await home.json<{ id: string }>(...create, '--every', '0 0 1 1 *');
  await home.berth('tasks', 'run', id);
  await wire.until(() => wire.replies().length === 2);
  expect(wire.replies().at(-1)).toContain('water');
  await home.berth('tasks', 'pause', id);
  expect(await home.json('tasks', 'list')).toMatchObject([
    { id, pausedAt: expect.any(String) as string },
  ]);
  await home.berth('restart');
  await home.berth('tasks', 'resume', id);
  expect(await home.json('tasks', 'list')).toMatchObject([{ id, pausedAt: null }]);
  expect((await home.berth('tasks', 'cancel', id)).exitCode).toBe(0);
});

it('tells programs that watch it how it is, by its exit code', async () => {
  await using home = new BerthHome('process');
  const check = async (): Promise<readonly unknown[]> => {
    const { exitCode, stdout } = await home.berth('status', '--check');
    return [exitCode, stdout];
  };
  expect(await check()).toEqual([2, 'CRITICAL: the daemon does not run']);
  await home.start();
  expect(await check()).toEqual([0, 'OK: running']);
});

it('ends in order when the terminal that it was started in goes away', async () => {
  await using home = new BerthHome('process');
  const daemon = execa(process.execPath, [mainScript, 'start'], {
    env: home.env,
    extendEnv: false,
    reject: false,
  });
  await until(async () => {
    expect((await home.berth('status', '--check')).exitCode).toBe(0);
  });
  daemon.kill('SIGHUP');
  const { exitCode, stdout } = await daemon;
  expect(exitCode).toBe(0);
  expect(stdout).toContain('stopped');
});

it('leaves it to its supervisor to start it again', async () => {
  await using home = new BerthHome('process');
  const supervised = { env: { ...home.env, SUPERVISOR_ENABLED: '1' }, extendEnv: false } as const;
  const start = () =>
    execa(process.execPath, [mainScript, 'start'], { ...supervised, reject: false });
  const first = start();
  await until(async () => {
    expect((await home.berth('status', '--check')).exitCode).toBe(0);
  });
  const restarting = home.berth('restart');
  expect((await first).exitCode).toBe(0);
  const second = start();
  const { exitCode, stdout, stderr } = await restarting;
  expect(stderr).toContain('supervisord starts it again');
  expect(stdout).toContain(`${second.pid ?? 0}`);
  expect(exitCode).toBe(0);
  await home.berth('stop');
  await second;
});

it('lets an agent plan, list and end its tasks, and tells it what came of that', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  wire.say('!action schedule_task {"text":"water","every":"0 0 1 1 *"}');
  await wire.until(() => wire.of('done').length === 1);
  const [task] = await home.json<{ id: string }[]>('tasks', 'list');
  wire.say('!action list_tasks');
  await wire.until(() => wire.replies().length === 1);
  expect(wire.replies()[0]).toContain(`${task?.id ?? ''} (`);
  wire.say(`!action cancel_task {"id":"${task?.id ?? ''}"}`);
  wire.say('!action fly');
  await wire.until(() => wire.replies().length === 2);
  expect(wire.replies()[1]).toContain('There is no action "fly".');
  expect(await home.json('tasks', 'list')).toEqual([]);
});

it('tells the settings of the daemon that runs, and where they differ from those of the shell', async () => {
  await using home = new BerthHome('process', {
    BERTH_LOG_LEVEL: 'debug',
    BERTH_MAX_CONTAINERS: '3',
  });
  await home.start();
  const shell = new BerthHome('process', {}, { home: home.home });
  const status = await shell.json<{
    settings: Record<string, { value: string; source: string }>;
    counts: { maxContainers: number };
  }>('status');
  expect(status.settings['BERTH_LOG_LEVEL']).toEqual({ value: 'debug', source: 'environment' });
  expect(status.counts.maxContainers).toBe(3);
  const { stdout } = await shell.berth('status');
  expect(stdout).toContain('BERTH_LOG_LEVEL=debug (environment)');
  const config = await shell.berth('config');
  expect(config.stderr).toContain(
    'The daemon that runs goes by BERTH_LOG_LEVEL=debug (environment).',
  );
  const settings = await shell.json<{ name: string; value: string; daemon: string }[]>('config');
  expect(settings).toContainEqual(
    expect.objectContaining({ name: 'BERTH_LOG_LEVEL', value: 'info', daemon: 'debug' }),
  );
});
