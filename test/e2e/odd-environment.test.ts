import { execa } from 'execa';
import { expect, it } from 'vitest';
import { BerthHome, mainScript, type CommandResult } from '../fakes/berth-home.js';

/** A command that a shell starts in its own way; `"$@"` in `script` is the command. */
async function through(
  home: BerthHome,
  script: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<CommandResult> {
  const words = ['-c', script, 'sh', process.execPath, mainScript, ...args];
  const { exitCode, stdout, stderr } = await execa('/bin/sh', words, {
    reject: false,
    extendEnv: false,
    stdin: 'ignore',
    timeout: 60_000,
    env: { ...home.env, ...env },
  });
  return { exitCode, stdout, stderr };
}

const commands = [['start', '--detach'], ['chat', 'hello'], ['tasks', 'list'], ['stop']] as const;

it.each([
  ['no standard streams', 'exec "$@" <&- >&- 2>&-', {}],
  ['a folder that was deleted under it', 'd=$(mktemp -d); cd "$d"; rmdir "$d"; exec "$@"', {}],
  [
    'no PATH, home, user or temporary folder',
    'exec "$@"',
    { PATH: '', HOME: '', TMPDIR: '/nowhere' },
  ],
  ['a locale that there is not', 'exec "$@"', { LC_ALL: 'xx_XX.nonsense', LANG: 'tr_TR' }],
  ['a terminal that is none', 'exec "$@"', { TERM: 'dumb', COLUMNS: '0' }],
])('works with %s', async (_, script, env) => {
  await using home = new BerthHome('process');
  for (const args of commands) {
    expect(await through(home, script, args, env), args.join(' ')).toMatchObject({ exitCode: 0 });
  }
  const sessions = await home.json<{ id: string }[]>('sessions', 'list');
  const { stdout } = await home.berth('sessions', 'messages', sessions[0]?.id ?? '');
  expect(stdout).toContain('echo: hello');
});

it('says what is wrong where its output cannot be written, and a relative home cannot be found', async () => {
  await using home = new BerthHome('process');
  const full = await through(home, 'exec "$@" >/dev/full', ['tasks', 'list']);
  expect(full).toMatchObject({
    exitCode: 1,
    stderr: 'The output could not be written: the disk is full.',
  });
  const gone = 'd=$(mktemp -d); cd "$d"; rmdir "$d"; exec "$@"';
  const lost = await through(home, gone, ['--home', 'here', 'status']);
  expect(lost.exitCode).toBe(1);
  expect(lost.stderr).toContain('The folder that the command was started in is gone.');
});
