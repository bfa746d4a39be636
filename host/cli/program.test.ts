import { existsSync } from 'node:fs';
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
    expect(stderr).toContain('See `berth --help`.');
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
  });
});
