import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLine } from '../../../test/fakes/command-line.js';

const target = ['--channel', 'terminal', '--platform-id', 'elsewhere'];

describe('berth destinations', () => {
  let cli: CommandLine;

  beforeEach(async () => {
    cli = new CommandLine();
    await cli.run('agent-groups', 'create', 'Helper');
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  it('lets an agent group send to a chat, and takes that back', async () => {
    const added = await cli.json(
      ...['destinations', 'add', 'helper', 'side', ...target, '--display-name', 'The side'],
    );
    expect(added).toEqual({
      name: 'side',
      displayName: 'The side',
      type: 'channel',
      channelType: 'terminal',
      platformId: 'elsewhere',
      agentGroupId: null,
    });
    expect(await cli.json('destinations', 'list')).toMatchObject([
      { agentGroup: 'helper', name: 'side' },
    ]);
    expect(await cli.json('destinations', 'list', 'main')).toEqual([]);
    expect(await cli.json('destinations', 'remove', 'helper', 'side')).toEqual({ deleted: 'side' });
    expect(await cli.json('destinations', 'list')).toEqual([]);
  });

  it('refuses a name that is taken, and forgets none that is not there', async () => {
    await cli.run('destinations', 'add', 'helper', 'side', ...target);
    const twice = await cli.failure('destinations', 'add', 'helper', 'side', ...target);
    const unknown = await cli.failure('destinations', 'remove', 'helper', 'other');
    expect([twice.code, unknown.code]).toEqual(['already_exists', 'not_found']);
  });

  it.each(['two words', 'a/b', 'ä', ''])('refuses the name %j', async (name) => {
    const failure = await cli.failure('destinations', 'add', 'helper', name, ...target);
    expect(failure.code).toBe('invalid_input');
  });

  it('lets an agent group ask another one', async () => {
    const add = ['destinations', 'add', 'main', 'expert', '--agent'] as const;
    const added = await cli.json<{ agentGroupId: string }>(...add, 'Helper');
    expect(added).toMatchObject({ name: 'expert', type: 'agent', channelType: null });
    const { stdout } = await cli.run('destinations', 'list', 'main');
    expect(stdout).toContain(`agent ${added.agentGroupId}`);
    const unknown = await cli.failure('destinations', 'add', 'main', 'other', '--agent', 'nobody');
    expect(unknown.code).toBe('not_found');
  });

  it('takes a chat in one word', async () => {
    const added = await cli.json('destinations', 'add', 'helper', 'side', '--chat', 'terminal:a');
    expect(added).toMatchObject({ channelType: 'terminal', platformId: 'a' });
  });

  it.each([
    ['no target', []],
    ['half a chat', ['--channel', 'terminal']],
    ['two targets', ['--chat', 'terminal:a', '--agent', 'main']],
  ])('refuses %s, and says what to add', async (_what, options) => {
    const failure = await cli.failure('destinations', 'add', 'helper', 'side', ...options);
    expect(failure).toMatchObject({ code: 'invalid_input' });
    expect(failure.next).toContain('--chat CHANNEL:ID or --agent AGENT-GROUP');
  });
});
