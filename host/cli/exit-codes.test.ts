import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLine } from '../../test/fakes/command-line.js';

describe('the exit code', () => {
  let cli: CommandLine;

  beforeEach(async () => {
    cli = new CommandLine();
    await cli.run('agent-groups', 'create', 'Helper');
    await cli.run('wirings', 'create', 'terminal:a', 'helper');
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  const task = ['tasks', 'create', '--chat', 'terminal:a', '--text', 'x'];

  it.each([
    ['an unknown command', ['nonsense']],
    ['an unknown option', ['status', '--nonsense']],
    ['a missing argument', ['wirings', 'create', 'terminal:b']],
    ['no choice that is offered', ['sessions', 'list', '--status', 'nonsense']],
    ['no number', ['dead-letters', 'list', '--limit', 'many']],
    ['no time', ['logs', '--since', 'yesterday']],
    ['no schedule', [...task, '--every', 'hourly']],
    ['a schedule that never comes true', [...task, '--every', '0 0 30 2 *']],
    ['no date', [...task, '--at', 'soon']],
    ['a time that has passed', [...task, '--at', '2001-01-31 09:00']],
    ['no time zone', [...task, '--every', '0 9 * * *', '--time-zone', 'Mars/Olympus']],
    ['neither a time nor a schedule', task],
    [
      'an empty text',
      ['tasks', 'create', '--chat', 'terminal:a', '--text', ' ', '--every', '0 9 * * *'],
    ],
    ['a name without letters', ['agent-groups', 'create', '!!!']],
    ['no provider', ['agent-groups', 'update', 'helper', '--provider', 'nobody']],
    ['no trigger rules', ['wirings', 'create', 'terminal:b', 'helper', '--trigger', '{"mode":3}']],
    ['no pattern', ['wirings', 'create', 'terminal:b', 'helper', '--mode', 'pattern']],
    ['an empty home', ['status', '--home', '']],
    ['an update of nothing', ['messaging-groups', 'update', 'terminal:a']],
  ])('is 2 for %s: it is wrong on every home', async (_, words) => {
    const { exitCode, stderr } = await cli.run(...words);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringMatching(/./) as string,
    });
  });

  it.each([
    ['an agent group', ['agent-groups', 'show', 'nobody']],
    ['a chat', ['messaging-groups', 'show', 'terminal:nowhere']],
    ['a chat to wire', ['wirings', 'create', 'nowhere', 'helper']],
    ['a wiring', ['wirings', 'delete', 'w-nothing']],
    ['a session', ['sessions', 'show', 's-nothing']],
    ['a task', ['tasks', 'show', 't-nothing']],
    ['a dead letter', ['dead-letters', 'show', 'm-nothing']],
    ['a destination', ['destinations', 'remove', 'helper', 'nothing']],
    ['a daemon', ['status']],
  ])('is 1 where %s is not there', async (_, words) => {
    expect((await cli.run(...words)).exitCode).toBe(1);
  });

  it('is 1 for what is taken already, and 0 for what was done', async () => {
    expect((await cli.run('agent-groups', 'create', 'Helper')).exitCode).toBe(1);
    expect((await cli.run('agent-groups', 'list')).exitCode).toBe(0);
  });
});
