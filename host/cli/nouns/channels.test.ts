import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLine } from '../../../test/fakes/command-line.js';

const terminal = {
  id: 'terminal',
  type: 'terminal',
  enabled: true,
  config: {},
  state: null,
  lastError: null,
};

describe('berth channels', () => {
  let cli: CommandLine;

  beforeEach(() => {
    cli = new CommandLine();
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  it('lists the terminal of a home that was never used', async () => {
    expect(await cli.json('channels', 'list')).toEqual([terminal]);
  });

  it('adds another terminal, changes it, and takes it away', async () => {
    const added = await cli.json(
      ...['channels', 'add', 'terminal', '--id', 'ops', '--set', 'socketPath=/run/ops.sock'],
    );
    const ops = { id: 'ops', type: 'terminal', enabled: true };
    expect(added).toEqual({ ...ops, config: { socketPath: '/run/ops.sock' } });
    expect(await cli.json('channels', 'set', 'ops', 'socketPath=ops.sock')).toEqual({
      ...ops,
      config: { socketPath: 'ops.sock' },
    });
    expect(await cli.json('channels', 'set', 'ops', '--unset', 'socketPath')).toEqual({
      ...ops,
      config: {},
    });
    expect(await cli.json('channels', 'disable', 'ops')).toMatchObject({ enabled: false });
    expect(await cli.json('channels', 'enable', 'ops')).toMatchObject({ enabled: true });
    expect(await cli.json('channels', 'list')).toMatchObject([terminal, ops]);
    expect(await cli.json('channels', 'remove', 'ops')).toEqual({ deleted: 'ops' });
    expect(await cli.json('channels', 'list')).toEqual([terminal]);
  });

  it.each([
    [['add', 'telegraph'], 'not_found', 'There is no type of channel "telegraph".'],
    [['add', 'terminal'], 'already_exists', 'There is a channel terminal already.'],
    [['add', 'terminal', '--id', 'Ops'], 'invalid_input', '"Ops" cannot be a channel\'s id.'],
    [
      ['add', 'terminal', '--id', 'ops', '--set', 'token=abc'],
      'invalid_input',
      'The config of a terminal channel cannot be used: it cannot have "token".',
    ],
    [
      ['add', 'terminal', '--id', 'ops', '--set', 'socketPath'],
      'invalid_input',
      '"socketPath" sets nothing.',
    ],
    [
      ['set', 'terminal', 'socketPath=x.sock'],
      'invalid_input',
      'The config of a terminal channel cannot be used: it cannot have "socketPath".',
    ],
    [
      ['add', 'terminal', '--id', 'ops', '--set', 'socketPath=central.db-journal'],
      'invalid_input',
      'The config of a terminal channel cannot be used: socketPath must end with .sock.',
    ],
    [
      ['add', 'terminal', '--id', 'ops', '--set', 'socketPath=../x/../../x.sock'],
      'invalid_input',
      'The config of a terminal channel cannot be used: socketPath must lie below data/, or be a whole path.',
    ],
    [['set', 'terminal'], 'usage', 'Say what is to change.'],
    [['enable', 'ops'], 'not_found', 'There is no channel "ops".'],
    [['remove', 'ops'], 'not_found', 'There is no channel "ops".'],
  ])('%j is refused, and changes nothing', async (words, code, message) => {
    expect(await cli.failure('channels', ...words)).toMatchObject({ code, message });
    expect(await cli.json('channels', 'list')).toEqual([terminal]);
  });

  it('keeps a channel that chats or destinations are on', async () => {
    await cli.json('channels', 'add', 'terminal', '--id', 'ops');
    await cli.json('messaging-groups', 'create', 'ops:local');
    await cli.json(
      ...['destinations', 'add', 'main', 'side', '--channel', 'ops', '--platform-id', 'side'],
    );
    expect(await cli.failure('channels', 'remove', 'ops')).toMatchObject({
      code: 'in_use',
      message: 'The channel ops has 1 chat and the destinations main/side.',
    });
    await cli.json('destinations', 'remove', 'main', 'side');
    await cli.json('messaging-groups', 'delete', 'ops:local');
    expect(await cli.json('channels', 'remove', 'ops')).toEqual({ deleted: 'ops' });
  });

  it('takes the ids of every terminal in one spelling, and says where there is no such channel', async () => {
    await cli.json('channels', 'add', 'terminal', '--id', 'ops');
    const zoe = 'Zoe\u0308';
    expect(await cli.json('messaging-groups', 'create', `ops:${zoe}`)).toMatchObject({
      platformId: 'Zo\u00eb',
    });
    expect(await cli.json('messaging-groups', 'create', `else:${zoe}`)).toMatchObject({
      platformId: zoe,
    });
    const { stderr } = await cli.run('messaging-groups', 'create', 'nowhere:x');
    expect(stderr).toContain('There is no channel nowhere here; there is terminal, ops.');
  });
});
