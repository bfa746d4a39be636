import { appendFileSync, copyFileSync, mkdirSync, renameSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLine } from '../../../test/fakes/command-line.js';
import { addSession } from '../../../test/fakes/session-files.js';
import { until } from '../../../test/fakes/waiting.js';

function lineAt(time: string, msg: string, fields: object = {}): string {
  return `${JSON.stringify({ level: 'info', time, ...fields, msg })}\n`;
}

describe('berth logs', () => {
  let cli: CommandLine;
  let path: string;

  beforeEach(() => {
    cli = new CommandLine();
    mkdirSync(join(cli.home, 'data', 'logs', 'sessions'), { recursive: true });
    path = join(cli.home, 'data', 'logs', 'daemon.log');
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  it('says so when there is nothing yet', async () => {
    expect(await cli.run('logs')).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: 'Nothing was logged yet.\n',
    });
  });

  it('prints lines for people, or raw with --json', async () => {
    const line = lineAt('2026-01-31T12:00:00.000Z', 'it failed', {
      sessionId: 's 1',
      err: { type: 'Error', message: 'no luck', stack: 'Error: no luck\n at x' },
    });
    appendFileSync(path, line);
    expect((await cli.run('logs')).stdout).toBe(
      '2026-01-31 12:00:00.000Z info  it failed sessionId="s 1" err="no luck"\n',
    );
    expect((await cli.run('logs', '--json')).stdout).toBe(line);
  });

  it("prints the log of a session's container, whatever is in it", async () => {
    const id = addSession(cli);
    const sessionLog = join(cli.home, 'data', 'logs', 'sessions', `${id}.log`);
    appendFileSync(sessionLog, 'plain words\n{"broken\n\u001b[31mred\nno line end');
    const { stdout } = await cli.run('logs', '--session', id);
    expect(stdout).toBe('plain words\n{"broken\n [31mred\nno line end\n');
    expect((await cli.failure('logs', '--session', 'nobody')).code).toBe('not_found');
  });

  it('prints the last lines, as many as asked for', async () => {
    for (let i = 0; i < 300; i += 1) appendFileSync(path, `line ${i}\n`);
    const last = (await cli.run('logs')).stdout.trimEnd().split('\n');
    expect(last).toHaveLength(200);
    expect(last.at(-1)).toBe('line 299');
    expect((await cli.run('logs', '-n', '2')).stdout).toBe('line 298\nline 299\n');
  });

  it('prints what was written since a time, also from files that were rotated', async () => {
    appendFileSync(`${path}.2`, lineAt('2026-01-31T10:00:00.000Z', 'first'));
    appendFileSync(`${path}.1`, `${lineAt('2026-01-31T11:00:00.000Z', 'second')}  at a stack\n`);
    appendFileSync(path, lineAt('2026-01-31T12:00:00.000Z', 'third'));
    const { stdout } = await cli.run('logs', '--since', '2026-01-31T10:30:00Z');
    expect(stdout).toMatch(/^.*second\n {2}at a stack\n.*third\n$/);
    expect((await cli.run('logs', '--since', '5m')).stdout).toBe('');
    expect((await cli.failure('logs', '--since', 'tomorrow')).code).toBe('invalid_input');
  });

  it('follows over both ways of rotation until it is told to stop', async () => {
    appendFileSync(path, 'before\n');
    const command = cli.begin('logs', '-f');
    await until(() => {
      expect(command.stdout()).toBe('before\n');
    });
    appendFileSync(path, 'old file, last line\n');
    renameSync(path, `${path}.1`);
    appendFileSync(path, 'new file\n');
    await until(() => {
      expect(command.stdout()).toBe('before\nold file, last line\nnew file\n');
    });
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
    appendFileSync(path, 'anew\n');
    await until(() => {
      expect(command.stdout()).toContain('new file\nanew\n');
    });
    command.stop();
    expect((await command.result).exitCode).toBe(0);
  });

  it('follows a file that does not exist yet, and waits for the end of a line', async () => {
    const command = cli.begin('logs', '--follow');
    appendFileSync(path, 'half ');
    appendFileSync(path, 'a line\n');
    await until(() => {
      expect(command.stdout()).toBe('half a line\n');
    });
    command.stop();
    await command.result;
  });
});
