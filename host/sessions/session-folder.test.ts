import {
  chownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runnerConfigSchema, type RunnerConfig } from '../../shared/protocol/runner-config.js';
import { whileExchanging } from '../../test/fakes/exchanger.js';
import { agentUserFor, parseFolderName, SessionFolders } from './session-folder.js';

const isRoot = process.getuid?.() === 0;

const config: RunnerConfig = {
  protocol: 1,
  sessionId: 's-1',
  agentGroup: { id: 'ag-1', name: 'Main' },
  provider: { name: 'echo', options: {} },
  batchSize: 20,
  pollIntervalMs: 1_000,
  heartbeatIntervalMs: 1_000,
};

describe('folder names', () => {
  it.each(['main', 'A1', 'x', 'my-agent_2.0', '7', `a${'b'.repeat(62)}`])('take %j', (name) => {
    expect(parseFolderName(name)).toBe(name);
  });

  it.each([
    '',
    '.',
    '..',
    '../main',
    'a/b',
    '/etc',
    'a..b',
    'main/..',
    '.hidden',
    '-rf',
    'a b',
    'a\\b',
    'a\0b',
    'main\n',
    'ä',
    `a${'b'.repeat(63)}`,
  ])('refuse %j', (name) => {
    expect(() => parseFolderName(name)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });
});

describe('the folders of a session', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-folders-'));
    mkdirSync(join(root, 'groups', 'main'), { recursive: true });
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  function foldersOf(mustGiveAway = false): SessionFolders {
    return new SessionFolders({
      sessionsDir: join(root, 'sessions'),
      groupsDir: join(root, 'groups'),
      agentUser: { uid: 1234, gid: 4321 },
      mustGiveAway,
    });
  }

  it('are made, with the settings of the runner in in/runner.json', async () => {
    const folders = foldersOf();
    folders.ensureInbound('s-1');
    const workspace = await folders.ensureWorkspace('s-1', 'main', config);
    for (const dir of Object.values(workspace) as string[]) {
      expect(statSync(dir).isDirectory(), dir).toBe(true);
    }
    const path = join(workspace.inDir, 'runner.json');
    expect(runnerConfigSchema.parse(JSON.parse(readFileSync(path, 'utf8')))).toEqual(config);
    await folders.ensureWorkspace('s-1', 'main', {
      ...config,
      provider: { name: 'claude', options: {} },
    });
    expect(readFileSync(path, 'utf8')).toContain('claude');
  });

  it('are made for a folder of an agent that is not there yet', async () => {
    const folders = foldersOf();
    folders.ensureInbound('s-1');
    const { agentDir } = await folders.ensureWorkspace('s-1', 'fresh', config);
    expect(agentDir).toBe(join(root, 'groups', 'fresh'));
    expect(statSync(agentDir).isDirectory()).toBe(true);
  });

  it.each(['../outside', 'a/b', '..'])('never lie at %j', async (folder) => {
    const folders = foldersOf();
    folders.ensureInbound('s-1');
    await expect(folders.ensureWorkspace('s-1', folder, config)).rejects.toMatchObject({
      code: 'invalid_input',
    });
  });

  it('refuse an agent folder that is a link out of groups/', async () => {
    mkdirSync(join(root, 'outside'));
    symlinkSync(join(root, 'outside'), join(root, 'groups', 'linked'));
    const folders = foldersOf();
    folders.ensureInbound('s-1');
    await expect(folders.ensureWorkspace('s-1', 'linked', config)).rejects.toMatchObject({
      code: 'spec_refused',
    });
  });

  it('refuse a link to a folder beside groups/ whose name begins alike', async () => {
    mkdirSync(join(root, 'groups-of-others'));
    symlinkSync(join(root, 'groups-of-others'), join(root, 'groups', 'linked'));
    const folders = foldersOf();
    folders.ensureInbound('s-1');
    await expect(folders.ensureWorkspace('s-1', 'linked', config)).rejects.toMatchObject({
      code: 'spec_refused',
    });
  });

  it.runIf(isRoot)('give to the agent what it may write, and nothing behind a link', async () => {
    const outside = join(root, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), '');
    writeFileSync(join(root, 'groups', 'main', 'CLAUDE.md'), '');
    symlinkSync(join(outside, 'secret'), join(root, 'groups', 'main', 'link'));
    symlinkSync(outside, join(root, 'groups', 'linked'));
    const folders = foldersOf(true);
    folders.ensureInbound('s-1');
    const { inDir, outDir, homeDir, agentDir } = await folders.ensureWorkspace(
      's-1',
      'main',
      config,
    );
    for (const dir of [outDir, homeDir, agentDir, join(agentDir, 'CLAUDE.md')]) {
      expect(statSync(dir).uid, dir).toBe(1234);
    }
    expect(lstatSync(join(agentDir, 'link')).uid).toBe(1234);
    expect(statSync(inDir).uid).toBe(0);
    await expect(folders.ensureWorkspace('s-1', 'linked', config)).rejects.toThrow();
    expect(statSync(outside).uid).toBe(0);
    expect(statSync(join(outside, 'secret')).uid).toBe(0);
  });
});

describe.runIf(isRoot)('what root gives away in the folder of an agent', () => {
  let root: string;
  let dir: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-given-'));
    dir = join(root, 'groups', 'main');
    mkdirSync(dir, { recursive: true });
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  async function give(): Promise<void> {
    const folders = new SessionFolders({
      sessionsDir: join(root, 'sessions'),
      groupsDir: join(root, 'groups'),
      agentUser: { uid: 1234, gid: 4321 },
      mustGiveAway: true,
    });
    folders.ensureInbound('s-1');
    await folders.ensureWorkspace('s-1', 'main', config);
  }

  it('is no file that has another name elsewhere, nor what belongs to somebody', async () => {
    writeFileSync(join(root, 'secret'), '');
    linkSync(join(root, 'secret'), join(dir, 'linked'));
    writeFileSync(join(dir, 'somebodys'), '');
    chownSync(join(dir, 'somebodys'), 4_711, 4_711);
    mkdirSync(join(dir, 'skills'));
    await give();
    expect(statSync(join(root, 'secret')).uid).toBe(0);
    expect(statSync(join(dir, 'somebodys')).uid).toBe(4_711);
    expect(statSync(join(dir, 'skills')).uid).toBe(1234);
  });

  it('may have any name', async () => {
    const path = Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0xfe])]);
    writeFileSync(path, '');
    await give();
    expect(statSync(path).uid).toBe(1234);
  });

  it('is never what lies behind a link while it is exchanged', async () => {
    const secret = join(root, 'secret');
    writeFileSync(secret, '');
    writeFileSync(join(dir, 'file'), '');
    symlinkSync(secret, join(dir, 'link'));
    linkSync(secret, join(dir, 'linked'));
    await whileExchanging(join(dir, 'file'), join(dir, 'linked'), async () => {
      for (let i = 0; i < 100; i += 1) {
        await give();
        for (const name of ['file', 'link', 'linked']) {
          if (lstatSync(join(dir, name)).nlink === 1) lchownSync(join(dir, name), 0, 0);
        }
      }
    });
    expect(statSync(secret).uid).toBe(0);
  });
});

describe('the user of agents', () => {
  it.each([
    ['the usual first one, where the daemon is root', 0, 0, { uid: 1000, gid: 1000 }],
    ['the daemon’s own', 501, 20, { uid: 501, gid: 20 }],
    [
      'the usual first one, where there are no users',
      undefined,
      undefined,
      { uid: 1000, gid: 1000 },
    ],
  ])('is %s', (_, uid, gid, user) => {
    expect(agentUserFor(uid, gid)).toEqual(user);
  });
});
