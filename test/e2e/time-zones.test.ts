import { execa } from 'execa';
import { expect, it } from 'vitest';
import { BerthHome, mainScript, type CommandResult } from '../fakes/berth-home.js';

/** A command from a shell that has another environment than the daemon. */
async function from(
  home: BerthHome,
  env: Record<string, string>,
  ...args: string[]
): Promise<CommandResult> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [mainScript, ...args], {
    reject: false,
    extendEnv: false,
    stdin: 'ignore',
    timeout: 60_000,
    env: { ...home.env, ...env },
  });
  return { exitCode, stdout, stderr };
}

it.each([':/etc/localtime', 'CST-8', 'UTC+3', '', 'Foo/Bar'])(
  'works with TZ=%j, and says in status which time zone it goes by',
  async (TZ) => {
    await using home = new BerthHome('process', { TZ });
    const listed = await home.berth('tasks', 'list');
    expect(listed).toMatchObject({ exitCode: 0, stderr: '' });
    const chat = await home.berth('chat', 'hello');
    expect(chat).toMatchObject({ exitCode: 0, stdout: 'echo: hello' });
    const { stdout } = await home.berth('status');
    expect(stdout).toMatch(/time zone +\S+/);
    // The name of the machine's own file names a zone well.
    if (TZ !== ':/etc/localtime')
      expect(stdout.replace(/\s+/g, ' ')).toContain('times are told in');
  },
);

it('runs a task in one time zone, whatever the TZ of the shell that planned it or lists it', async () => {
  await using home = new BerthHome('process', { TZ: 'UTC' });
  await home.berth('messaging-groups', 'create', 'terminal:local');
  await home.berth('wirings', 'create', 'terminal:local', 'main');
  await home.start();
  const tokyo = { TZ: 'Asia/Tokyo' };
  const plan = [
    'tasks',
    'create',
    '--chat',
    'terminal:local',
    '--text',
    'x',
    '--every',
    '0 9 * * *',
  ];
  const planned = await from(home, tokyo, ...plan, '--json');
  const task = JSON.parse(planned.stdout) as { id: string; scheduledAt: string };
  expect(task).toMatchObject({ timeZone: 'UTC' });
  expect(task.scheduledAt).toMatch(/T09:00:00.000Z$/);
  const kept = home.central((db) => db.prepare('SELECT time_zone FROM tasks').pluck().all());
  expect(kept).toEqual(['UTC']);
  for (const shell of [{}, tokyo]) {
    const { stdout } = await from(home, shell, 'tasks', 'show', task.id);
    expect(stdout).toMatch(/next +\d{4}-\d{2}-\d{2} 09:00 \(UTC\)/);
  }
  // A restart from that shell, too, leaves everything as it was.
  await from(home, tokyo, 'restart');
  expect((await from(home, tokyo, 'status')).stdout).toMatch(/time zone +UTC[^]*TZ is ignored/);
  expect(await home.json('tasks', 'list')).toMatchObject([{ id: task.id, zone: 'UTC' }]);
});
