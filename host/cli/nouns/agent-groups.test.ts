import { existsSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLine } from '../../../test/fakes/command-line.js';
import { addSession } from '../../../test/fakes/session-files.js';
import { setStatus } from '../../../test/fakes/session-rows.js';

interface Group {
  readonly id: string;
  readonly name: string;
  readonly folder: string;
}

describe('berth agent-groups', () => {
  let cli: CommandLine;

  beforeEach(() => {
    cli = new CommandLine();
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  it('creates one with a folder made from its name and first instructions', async () => {
    const group = await cli.json<Group>('agent-groups', 'create', 'Our Helper', '--admin');
    expect(group).toMatchObject({
      name: 'Our Helper',
      folder: 'our-helper',
      isAdmin: true,
      provider: null,
      containerConfig: null,
    });
    const instructions = join(cli.home, 'groups', 'our-helper', 'CLAUDE.md');
    expect(readFileSync(instructions, 'utf8')).toContain('You are Our Helper');
  });

  it('makes a home that was never used ready: the default agent group is there too', async () => {
    await cli.run('agent-groups', 'create', 'Helper');
    const groups = await cli.json<Group[]>('agent-groups', 'list');
    expect(groups.map(({ folder }) => folder).sort()).toEqual(['helper', 'main']);
    expect(existsSync(join(cli.home, 'groups', 'main', 'CLAUDE.md'))).toBe(true);
  });

  it('leaves instructions that are there already as they are', async () => {
    mkdirSync(join(cli.home, 'groups', 'mine'), { recursive: true });
    writeFileSync(join(cli.home, 'groups', 'mine', 'CLAUDE.md'), 'my own');
    await cli.run('agent-groups', 'create', 'Mine');
    expect(readFileSync(join(cli.home, 'groups', 'mine', 'CLAUDE.md'), 'utf8')).toBe('my own');
  });

  it.each(['a/b', '..', '../up', '/etc', '', '.hidden', 'a\nb'])(
    'refuses the folder %j and makes nothing',
    async (folder) => {
      const failure = await cli.failure('agent-groups', 'create', 'Bad', '--folder', folder);
      expect(failure.code).toBe('invalid_input');
      expect(await cli.json('agent-groups', 'list')).toEqual([]);
    },
  );

  it('asks for a folder where the name makes none', async () => {
    const failure = await cli.failure('agent-groups', 'create', '助手');
    expect(failure).toMatchObject({
      code: 'invalid_input',
      next: 'Name the folder with --folder.',
    });
  });

  it('refuses a folder or a name that is taken', async () => {
    await cli.run('agent-groups', 'create', 'Helper');
    const sameName = await cli.failure('agent-groups', 'create', 'HELPER', '--folder', 'other');
    const sameFolder = await cli.failure('agent-groups', 'create', 'Other', '--folder', 'helper');
    expect([sameName.code, sameFolder.code]).toEqual(['already_exists', 'already_exists']);
    expect(await cli.json<Group[]>('agent-groups', 'list')).toHaveLength(2);
  });

  it.each([
    'not JSON',
    '[]',
    '{"memoryMb":"much"}',
    '{"unknown":1}',
    '{"cpus":0.0001}',
    '{"cpus":1000}',
    '{"memoryMb":1e12}',
  ])('refuses the container config %s', async (json) => {
    const failure = await cli.failure('agent-groups', 'create', 'A', '--container-config', json);
    expect(failure.code).toBe('invalid_input');
    expect(failure.message).toContain('container config');
  });

  it('changes what is named, leaves the rest, and takes settings back to their defaults', async () => {
    await cli.run('agent-groups', 'create', 'Helper', '--provider', 'echo');
    const config = '{"tries":2}';
    expect(
      await cli.json('agent-groups', 'update', 'helper', '--container-config', config),
    ).toMatchObject({ provider: 'echo', containerConfig: { tries: 2 } });
    expect(
      await cli.json('agent-groups', 'update', 'helper', '--no-provider', '--admin'),
    ).toMatchObject({ provider: null, isAdmin: true, containerConfig: { tries: 2 } });
    expect(
      await cli.json('agent-groups', 'update', 'helper', '--no-container-config', '--name', 'H'),
    ).toMatchObject({ name: 'H', folder: 'helper', containerConfig: null });
  });

  it('says what a new container config takes back, and what this machine does not have', async () => {
    await cli.run('agent-groups', 'create', 'Helper', '--container-config', '{"tries":2,"cpus":1}');
    const update = async (json: string) =>
      (await cli.run('agent-groups', 'update', 'helper', '--container-config', json)).stderr;
    expect(await update('{"cpus":1,"memoryMb":128}')).toMatch(/^Back to the default.*: tries\.\n$/);
    expect(await update('{"cpus":256,"memoryMb":4000000}')).toMatch(
      /has \d+ cpus.*\n.*has \d+ MB of memory/,
    );
  });

  it('calls an update of nothing wrong usage', async () => {
    await cli.run('agent-groups', 'create', 'Helper');
    expect((await cli.run('agent-groups', 'update', 'helper')).exitCode).toBe(2);
  });

  it('shows one with its limits and what it is wired to', async () => {
    await cli.run('agent-groups', 'create', 'Helper', '--container-config', '{"memoryMb":512}');
    await cli.run('wirings', 'create', 'terminal:team', 'helper');
    expect(await cli.json('agent-groups', 'show', 'helper')).toMatchObject({
      containerConfig: { memoryMb: 512 },
      limits: { memoryMb: 512, network: 'none' },
      wiredTo: ['terminal:team'],
      activeSessions: 0,
    });
    const { stdout } = await cli.run('agent-groups', 'show', 'helper');
    expect(stdout).toMatch(/^folder {4}groups\/helper$/m);
  });

  it('shows a container config that was broken by hand, and why', async () => {
    await cli.run('agent-groups', 'create', 'Helper');
    cli.store((store) => {
      const group = store.agentGroups.findByFolder('helper')!;
      store.agentGroups.update({ ...group, containerConfig: 'broken' });
    });
    expect(await cli.json('agent-groups', 'show', 'helper')).toMatchObject({
      containerConfig: 'broken',
      limits: { unusable: expect.stringContaining('not JSON') as string },
    });
  });

  it('is known by id, the beginning of its id, folder, and name in any case', async () => {
    const { id } = await cli.json<Group>('agent-groups', 'create', 'Our Helper');
    for (const reference of [id, id.slice(0, -2), 'our-helper', 'OUR HELPER']) {
      expect(await cli.json('agent-groups', 'show', reference)).toMatchObject({ id });
    }
  });

  it('names the candidates where the beginning of an id fits several', async () => {
    await cli.run('agent-groups', 'create', 'One');
    const groups = await cli.json<Group[]>('agent-groups', 'list');
    const shared = groups[0]!.id.slice(0, 5);
    const failure = await cli.failure('agent-groups', 'show', shared);
    expect(failure.code).toBe('invalid_input');
    for (const { id } of groups) expect(failure.message).toContain(id);
  });

  describe('delete', () => {
    it('takes one away that nothing refers to, and leaves its folder', async () => {
      const { id } = await cli.json<Group>('agent-groups', 'create', 'Helper');
      expect(await cli.json('agent-groups', 'delete', 'helper')).toEqual({
        deleted: id,
        removedSessions: [],
      });
      expect((await cli.failure('agent-groups', 'show', id)).code).toBe('not_found');
      expect(existsSync(join(cli.home, 'groups', 'helper', 'CLAUDE.md'))).toBe(true);
    });

    it('refuses while it is wired, and names the wirings', async () => {
      await cli.run('agent-groups', 'create', 'Helper');
      const wiring = await cli.json<{ id: string }>('wirings', 'create', 'terminal:a', 'helper');
      const failure = await cli.failure('agent-groups', 'delete', 'helper', '--with-sessions');
      expect(failure.code).toBe('in_use');
      expect(failure.message).toContain(wiring.id);
    });

    it('refuses while a session is active or still has a container, whatever is asked for', async () => {
      const id = addSession(cli);
      const active = await cli.failure('agent-groups', 'delete', 'main', '--with-sessions');
      expect(active.code).toBe('in_use');
      expect(active.message).toContain(id);
      cli.store((store) => {
        setStatus(store, id, 'closed', null);
        store.sessions.setContainerStatus(id, 'running');
      });
      const ending = await cli.failure('agent-groups', 'delete', 'main', '--with-sessions');
      expect(ending.code).toBe('in_use');
    });

    it('takes ended sessions and their files with it only when asked to, and names them', async () => {
      const id = addSession(cli, { status: 'closed' });
      const refused = await cli.failure('agent-groups', 'delete', 'main');
      expect(refused).toMatchObject({
        code: 'in_use',
        next: expect.stringContaining('--with-sessions') as string,
      });
      const folder = join(cli.home, 'data', 'sessions', id);
      mkdirSync(folder, { recursive: true });
      const { stdout } = await cli.run('agent-groups', 'delete', 'main', '--with-sessions');
      expect(stdout).toContain(`Deleted with it: ${id}.`);
      expect(existsSync(folder)).toBe(false);
      expect(await cli.json('sessions', 'list')).toEqual([]);
    });
  });

  it('changes one limit and leaves the others', async () => {
    const update = (...args: string[]): Promise<unknown> =>
      cli.json('agent-groups', 'update', 'main', ...args);
    await update('--container-config', '{"tries":3,"network":"bridge"}');
    expect(await update('--set', 'memoryMb=512', '--set', 'cpus=0.5')).toMatchObject({
      containerConfig: { tries: 3, network: 'bridge', memoryMb: 512, cpus: 0.5 },
    });
    expect(await update('--unset', 'network', 'tries', '--set', 'cpus=2')).toMatchObject({
      containerConfig: { memoryMb: 512, cpus: 2 },
    });
    expect(await update('--unset', 'memoryMb', 'cpus')).toMatchObject({ containerConfig: null });
  });

  it('changes one option of its provider and leaves the others', async () => {
    const update = (...args: string[]): Promise<unknown> =>
      cli.json('agent-groups', 'update', 'main', ...args);
    expect(await update('--set', 'tries=3', '--set', 'providerOptions.prefix=said')).toMatchObject({
      containerConfig: { tries: 3, providerOptions: { prefix: 'said' } },
    });
    expect(await update('--unset', 'providerOptions.prefix')).toMatchObject({
      containerConfig: { tries: 3, providerOptions: {} },
    });
    expect(await update('--unset', 'providerOptions')).toMatchObject({
      containerConfig: { tries: 3 },
    });
  });

  it.each([
    ['{"providerOptions":{"volume":11}}', 'it cannot have "volume"'],
    ['{"providerOptions":{"prefix":7}}', 'prefix must be text'],
  ])('refuses options that its provider does not take, by name: %s', async (config, why) => {
    const refused = { code: 'invalid_input', message: expect.stringContaining(why) as string };
    const given = ['--container-config', config];
    expect(await cli.failure('agent-groups', 'create', 'Helper', ...given)).toMatchObject(refused);
    await cli.run('agent-groups', 'create', 'Helper');
    expect(await cli.failure('agent-groups', 'update', 'main', ...given)).toMatchObject(refused);
  });

  it.each([
    ['--set', 'memoryMb=lots'],
    ['--set', 'memoryMb'],
    ['--set', 'memory=512'],
    ['--unset', 'memory'],
  ])('refuses a limit that there is not, or cannot be: %s %s', async (flag, word) => {
    await cli.run('agent-groups', 'create', 'Helper');
    const failure = await cli.failure('agent-groups', 'update', 'main', flag, word);
    expect(failure.code).toBe('invalid_input');
    expect(await cli.json('agent-groups', 'show', 'main')).toMatchObject({ containerConfig: null });
  });

  it('says what follows when the default one is deleted', async () => {
    await cli.run('agent-groups', 'create', 'Helper');
    expect((await cli.run('agent-groups', 'delete', 'helper')).stdout).not.toContain('default');
    const { stdout } = await cli.run('agent-groups', 'delete', 'main');
    expect(stdout).toContain('It was the default one: new terminal chats reach nobody');
  });

  it('shows its limits within a narrow terminal', async () => {
    await cli.run('agent-groups', 'create', 'Helper');
    cli.columns = 80;
    const { stdout } = await cli.run('agent-groups', 'show', 'helper');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toContain('keepMessagesDays 365');
  });

  it('names the keys that a container config may have', async () => {
    const config = ['--container-config', '{"memory":3}'];
    const failure = await cli.failure('agent-groups', 'create', 'Helper', ...config);
    expect(failure.message).toBe('The container config cannot be used: it cannot have "memory".');
    expect(failure.next).toContain('memoryMb, cpus, pidsLimit');
  });
});
