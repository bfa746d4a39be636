import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLine } from '../../../test/fakes/command-line.js';
import { addSession } from '../../../test/fakes/session-files.js';

describe('berth messaging-groups', () => {
  let cli: CommandLine;

  beforeEach(() => {
    cli = new CommandLine();
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  it('records a chat before its first message; an id may hold colons', async () => {
    const chat = await cli.json('messaging-groups', 'create', 'matrix:!room:host', '--group');
    expect(chat).toMatchObject({
      channelType: 'matrix',
      platformId: '!room:host',
      isGroup: true,
      adminUserId: null,
    });
    expect(await cli.json('messaging-groups', 'show', 'matrix:!room:host')).toMatchObject({
      platformId: '!room:host',
      wiredTo: [],
      received: [],
    });
  });

  it.each(['local', ':local', 'terminal:', 'Terminal:local', 'terminal:a\nb'])(
    'refuses %j as the name of a chat',
    async (name) => {
      expect((await cli.failure('messaging-groups', 'create', name)).code).toBe('invalid_input');
    },
  );

  it('refuses a chat that is known', async () => {
    await cli.run('messaging-groups', 'create', 'terminal:a');
    const failure = await cli.failure('messaging-groups', 'create', 'terminal:a');
    expect(failure.code).toBe('already_exists');
  });

  it('changes its name, admin and allowlist', async () => {
    await cli.run('messaging-groups', 'create', 'terminal:a');
    expect(
      await cli.json(
        ...['messaging-groups', 'update', 'terminal:a', '--name', 'Team', '--admin', 'ada'],
        ...['--allow', 'bob', 'eve', '--group'],
      ),
    ).toMatchObject({
      name: 'Team',
      adminUserId: 'ada',
      isGroup: true,
      allowedSenders: ['bob', 'eve'],
    });
    expect(
      await cli.json(
        ...['messaging-groups', 'update', 'terminal:a', '--disallow', 'eve'],
        ...['--no-admin', '--no-group'],
      ),
    ).toMatchObject({ name: 'Team', adminUserId: null, isGroup: false, allowedSenders: ['bob'] });
  });

  it('has a time zone of its own until that is taken away', async () => {
    await cli.run('messaging-groups', 'create', 'terminal:a', '--time-zone', 'Asia/Tokyo');
    expect((await cli.run('messaging-groups', 'show', 'terminal:a')).stdout).toMatch(
      /time zone +Asia\/Tokyo/,
    );
    const update = ['messaging-groups', 'update', 'terminal:a'];
    expect(await cli.failure(...update, '--time-zone', 'Mars/Phobos')).toMatchObject({
      code: 'invalid_input',
      message: 'There is no time zone "Mars/Phobos".',
    });
    expect(await cli.json(...update, '--no-time-zone')).toMatchObject({ timeZone: null });
    expect((await cli.run('messaging-groups', 'show', 'terminal:a')).stdout).toContain(
      "(the install's)",
    );
  });

  it('shows its latest messages with what became of them and why', async () => {
    await cli.run('wirings', 'create', 'terminal:a', 'main');
    cli.store((store) => {
      const chat = store.messagingGroups.findByPlatform('terminal', 'a')!;
      const { id: agentGroupId } = store.agentGroups.findByFolder('main')!;
      const message = {
        messagingGroupId: chat.id,
        messageId: 'm-1',
        receivedAt: '2026-01-31T12:00:00.000Z',
      };
      store.received.insert({
        ...message,
        platformMessageId: 'p-1',
        verdicts: [{ agentGroupId, verdict: 'refused', reason: 'not mentioned' }],
      });
      store.received.insert({
        ...message,
        platformMessageId: 'p-2',
        receivedAt: '2026-01-31T12:00:01.000Z',
        verdicts: [],
      });
    });
    const shown = await cli.json<{ received: object[] }>('messaging-groups', 'show', 'terminal:a');
    expect(shown.received).toMatchObject([
      { platformMessageId: 'p-2', verdicts: [] },
      { platformMessageId: 'p-1', verdicts: [{ agentGroup: 'main', reason: 'not mentioned' }] },
    ]);
    const { stdout } = await cli.run('messaging-groups', 'show', 'terminal:a');
    expect(stdout).toContain('main: refused (not mentioned)');
    expect(stdout).toContain('no agent is wired to this chat');
    const one = await cli.json<{ received: object[] }>(
      ...['messaging-groups', 'show', 'terminal:a', '--limit', '1'],
    );
    expect(one.received).toHaveLength(1);
  });

  it('is deleted when nothing refers to it', async () => {
    const { id } = await cli.json<{ id: string }>('messaging-groups', 'create', 'terminal:a');
    expect(await cli.json('messaging-groups', 'delete', id)).toMatchObject({ deleted: id });
    expect(await cli.json('messaging-groups', 'list')).toEqual([]);
  });

  it('is not deleted while it is wired or has an active session', async () => {
    const session = addSession(cli);
    const used = await cli.failure('messaging-groups', 'delete', 'terminal:local');
    expect(used.code).toBe('in_use');
    expect(used.message).toContain(session);
    await cli.run('wirings', 'create', 'terminal:local', 'main');
    const wired = await cli.failure('messaging-groups', 'delete', 'terminal:local');
    expect(wired.next).toContain('berth wirings delete');
  });

  it('says so when somebody to take off the allowlist was not on it', async () => {
    await cli.run('messaging-groups', 'create', 'terminal:a');
    const { exitCode, stderr } = await cli.run(
      ...['messaging-groups', 'update', 'terminal:a', '--disallow', 'dora'],
    );
    expect(exitCode).toBe(0);
    expect(stderr).toBe('dora was not on the allowlist of terminal:a.\n');
  });

  it('lists the ids by which sessions and dead letters know a message', async () => {
    const { id } = await cli.json<{ id: string }>('messaging-groups', 'create', 'terminal:a');
    cli.store((store) => {
      store.received.insert({
        messagingGroupId: id,
        platformMessageId: 'p-1',
        messageId: 'm-1',
        verdicts: [{ agentGroupId: 'ag-1', verdict: 'engaged', sessionId: 's-1' }],
        receivedAt: new Date().toISOString(),
      });
    });
    const { stdout } = await cli.run('messaging-groups', 'show', 'terminal:a');
    expect(stdout).toMatch(/m-1 +p-1 +s-1 +ag-1: engaged/);
    expect(await cli.json('messaging-groups', 'show', 'terminal:a')).toMatchObject({
      received: [{ messageId: 'm-1', platformMessageId: 'p-1', verdicts: [{ sessionId: 's-1' }] }],
    });
  });
});
