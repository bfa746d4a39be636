import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { chmod, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { probeOwners, type OwnerProbeDeps } from './owner-probe.js';

const isRoot = process.getuid?.() === 0;

describe('who may own files', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync('/tmp/berth-owners-');
  });

  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });

  function depsOf(fields: Partial<OwnerProbeDeps> = {}): OwnerProbeDeps {
    const dataDir = join(home, 'data');
    return {
      dataDir,
      sessionsDir: join(dataDir, 'sessions'),
      groupsDir: join(home, 'groups'),
      agentUser: { uid: 1234, gid: 4321 },
      uid: 0,
      isolates: true,
      ...fields,
    };
  }

  const refuse = (): Promise<void> =>
    Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
  const pretend = (): Promise<void> => Promise.resolve();

  it.runIf(isRoot)('is the agent, where root may give files away', async () => {
    expect(await probeOwners(depsOf())).toEqual({ handover: 'give', remark: null });
    expect(readdirSync(join(home, 'data', 'sessions'))).toEqual([]);
    expect(readdirSync(join(home, 'groups'))).toEqual([]);
  });

  it.each([
    ['refuses', refuse],
    ['takes without an effect', pretend],
  ])('is root alone, where the system %s a change of owners', async (_, system) => {
    const { handover, remark } = await probeOwners(depsOf({ system: { chown: system, chmod } }));
    expect(handover).toBe('open');
    expect(remark).toContain(join(home, 'groups'));
    expect(statSync(join(home, 'groups')).mode & 0o777).toBe(0o700);
    expect(existsSync(join(home, 'groups', '.owner-probe'))).toBe(false);
  });

  it('does not matter where agents run as the daemon’s own user', async () => {
    const system = { chown: refuse, chmod: pretend };
    const found = await probeOwners(depsOf({ isolates: false, system }));
    expect(found).toEqual({ handover: 'own', remark: null });
  });

  it('refuses a start where the file system keeps neither owners nor modes', async () => {
    const system = { chown: pretend, chmod: pretend };
    await expect(probeOwners(depsOf({ system }))).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining(join(home, 'data', 'sessions')) as string,
      next: expect.stringContaining('uid=1234') as string,
    });
  });

  it.runIf(isRoot)(
    'names what a plain user may not write, and the command that helps',
    async () => {
      mkdirSync(join(home, 'data', 'sessions', 'of-root'), { recursive: true });
      mkdirSync(join(home, 'groups'), { recursive: true });
      for (const dir of [
        home,
        join(home, 'data'),
        join(home, 'data', 'sessions'),
        join(home, 'groups'),
      ])
        await chown(dir, 1234, 4321);
      const script = `import('${new URL('./owner-probe.ts', import.meta.url).href}').then(async (it) =>
      console.log(JSON.stringify(await it.probeOwners(${JSON.stringify(depsOf({ uid: 1234 }))}))))`;
      const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script];
      const asUser = ['--reuid=1234', '--regid=4321', '--clear-groups'];
      // The loader writes there, and this user may not where the tests' files lie.
      const loaderDir = mkdtempSync('/tmp/berth-loader-');
      await chown(loaderDir, 1234, 4321);
      const env = { PATH: '/usr/bin:/bin', TMPDIR: loaderDir };
      const stdout = execFileSync('setpriv', [...asUser, ...node], { env });
      rmSync(loaderDir, { recursive: true });
      const { handover, remark } = JSON.parse(stdout.toString()) as Record<string, string>;
      expect(handover).toBe('own');
      expect(remark).toContain(join(home, 'data', 'sessions', 'of-root'));
      expect(remark).toContain('chown -R 1234:4321');
    },
  );
});
