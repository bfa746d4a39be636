import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLine } from '../../test/fakes/command-line.js';

describe('the command line', () => {
  let cli: CommandLine;

  beforeEach(() => {
    cli = new CommandLine();
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  it.each([['--help'], ['help'], ['wirings', '--help']])(
    'prints help to stdout and succeeds: %s %s',
    async (...args) => {
      const { exitCode, stdout, stderr } = await cli.run(...args);
      expect(exitCode).toBe(0);
      expect(stdout).toContain('Usage: berth');
      expect(stderr).toBe('');
    },
  );

  it.each([['wirings'], ['agent-groups'], ['messaging-groups'], ['wirings', 'create']])(
    'breaks its help at words on a narrow terminal: %s %s',
    async (...args) => {
      cli.columns = 80;
      const { stdout } = await cli.run(...args, '--help');
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    },
  );

  it('prints its version', async () => {
    const { exitCode, stdout } = await cli.run('--version');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    ['an unknown command', ['frobnicate'], /unknown command 'frobnicate'/],
    ['an unknown option', ['status', '--frobnicate'], /unknown option '--frobnicate'/],
    ['a missing argument', ['sessions', 'show'], /missing required argument 'session'/],
    ['an argument too many', ['status', 'now'], /too many arguments/],
    ['a value that is no choice', ['status', '--runtime', 'vm'], /Allowed choices are/],
    ['a count that is none', ['sessions', 'messages', 's-1', '--limit', '0'], /above 0/],
  ])('calls %s wrong usage', async (_what, args, message) => {
    const { exitCode, stdout, stderr } = await cli.run(...args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^See `berth .*--help`\.$/m);
  });

  it.each([
    [['wirings', 'create', '--mode', 'x'], 'berth wirings create'],
    [['--json', 'sessions', 'show'], 'berth sessions show'],
    [['frobnicate'], 'berth'],
  ])('points to the help of what was meant: %j', async (args, command) => {
    expect(await cli.failure(...args)).toMatchObject({ next: `See \`${command} --help\`.` });
  });

  it.each([
    [['logs', '--since', 'tomorrow']],
    [['agent-groups', 'create', 'x', '--folder', '../x']],
    [['agent-groups', 'create', 'x', '--container-config', '{']],
    [['agent-groups', 'create', 'x', '--provider', 'ehco']],
    [['wirings', 'create', 'terminal:x', 'main', '--mode', 'pattern']],
    [['messaging-groups', 'create', 'nope']],
    [['chat', '']],
    [['chat', 'hi', '--chat', '']],
  ])('calls a value that does not fit wrong usage: %j', async (args) => {
    const { exitCode, stdout, stderr } = await cli.run(...args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
  });

  it('lists every setting also where one cannot be used, and marks it', async () => {
    writeFileSync(join(cli.home, '.env'), 'BERTH_STOP_TIMEOUT_MS=soon\nBERTH_RUNTIM=process\n');
    const { exitCode, stdout, stderr } = await cli.run('config');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /BERTH_STOP_TIMEOUT_MS +soon +\.env +CANNOT BE USED: must be a number\./,
    );
    expect(stdout).toContain('BERTH_RUNTIME');
    expect(stderr).toContain('there is no setting BERTH_RUNTIM;');
    expect((await cli.failure('start')).code).toBe('config_invalid');
    expect((await cli.run('status')).stdout).toContain('not running');
  });

  it('says so where the home is no folder, or cannot be made', async () => {
    const file = join(cli.home, 'file');
    writeFileSync(file, '');
    for (const home of [file, join(file, 'below')]) {
      expect(await cli.failure('--home', home, 'sessions', 'list')).toMatchObject({
        code: 'io_failed',
        message: `${file} is a file, and a folder is needed there.`,
      });
    }
    const nowhere = await cli.failure('--home', '/proc/berth', 'start', '--detach');
    expect(nowhere.message).toMatch(/^The folder \/proc\/berth cannot be made/);
    expect(nowhere.next).not.toBeNull();
  });

  it('refuses a home that is too long for a socket before anything starts', async () => {
    const home = join(cli.home, 'x'.repeat(100));
    const failure = await cli.failure('--home', home, 'start', '--detach');
    expect(failure).toMatchObject({ code: 'config_invalid' });
    expect(failure.next).toBe('Set BERTH_HOME to a shorter path.');
    expect(existsSync(home)).toBe(false);
  });

  it('says what a noun can do when nothing is asked of it, and calls that wrong usage', async () => {
    const { exitCode, stderr } = await cli.run('sessions');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Usage: berth sessions');
    expect(await cli.failure('sessions')).toMatchObject({ code: 'usage' });
  });

  it('says failures in one sentence and what to do next', async () => {
    const { exitCode, stdout, stderr } = await cli.run('agent-groups', 'show', 'nobody');
    expect(exitCode).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toBe('There is no agent group "nobody".\nSee `berth agent-groups list`.\n');
  });

  it('says failures as JSON where JSON was asked for, before the command or after it', async () => {
    const expected = {
      error: {
        code: 'not_found',
        message: 'There is no agent group "nobody".',
        next: 'See `berth agent-groups list`.',
      },
    };
    for (const args of [
      ['agent-groups', 'show', 'nobody', '--json'],
      ['--json', 'agent-groups', 'show', 'nobody'],
    ]) {
      const { exitCode, stderr } = await cli.run(...args);
      expect(exitCode).toBe(1);
      expect(JSON.parse(stderr)).toEqual(expected);
    }
  });

  it.each([
    ['agent-groups', 'list'],
    ['messaging-groups', 'list'],
    ['wirings', 'list'],
    ['destinations', 'list'],
    ['sessions', 'list'],
  ])('finds nothing in a home that was never used, and leaves no trace: %s %s', async (...args) => {
    expect(await cli.json(...args)).toEqual([]);
    const { exitCode, stdout } = await cli.run(...args);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^There are no /);
    expect(existsSync(join(cli.home, 'data'))).toBe(false);
  });

  it('lists every setting with its value and source', async () => {
    const settings = await cli.json<{ name: string; value: string; source: string }[]>(
      'config',
      '--log-level',
      'debug',
    );
    expect(settings).toContainEqual(
      expect.objectContaining({ name: 'BERTH_HOME', value: cli.home, source: 'flag' }),
    );
    expect(settings).toContainEqual(
      expect.objectContaining({ name: 'BERTH_LOG_LEVEL', value: 'debug', source: 'flag' }),
    );
    const wide = (await cli.run('config')).stdout.split('\n');
    expect(wide[0]).toMatch(/^setting +value +from +about$/);
    expect(wide).toHaveLength(settings.length + 2);
  });

  it('keeps to the width of a terminal without cutting what a setting means', async () => {
    cli.columns = 80;
    const { stdout } = await cli.run('config', '--log-level', 'debug');
    expect(stdout).toContain('BERTH_LOG_LEVEL=debug  (flag)\n  debug, info, warn or error\n');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});
