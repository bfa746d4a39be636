import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { oddModes } from '../contracts/odd-modes.js';
import { BerthHome } from '../fakes/berth-home.js';

const docker = inject('docker');
const base =
  docker.available && docker.baseImage !== undefined ? { BERTH_BASE_IMAGE: docker.baseImage } : {};
const isRoot = process.getuid?.() === 0;

function homeThrough(...through: string[]): BerthHome {
  return new BerthHome('docker', base, { through });
}

describe.skipIf(!docker.available)('with containers', () => {
  oddModes('docker', (through) => homeThrough(...through));
});

describe.skipIf(!docker.available || !isRoot)('a home with other owners', () => {
  /** A conversation of one message. */
  async function talk(home: BerthHome): Promise<string> {
    expect((await home.berth('chat', 'before')).stdout).toBe('echo: before');
    const [session] = await home.json<{ id: string }[]>('sessions', 'list');
    expect((await home.berth('stop')).exitCode).toBe(0);
    return home.sessionDir(session?.id ?? '');
  }

  it.each([
    ['cp -r', ''],
    ['cp -r under umask 077', 'umask 077;'],
  ])('goes on after %s by root', async (_, umask) => {
    await using old = homeThrough();
    await using home = homeThrough();
    const from = await talk(old);
    const script = `${umask} cp -r "$0/data" "$0/groups" "$1"`;
    execFileSync('/bin/sh', ['-c', script, old.home, home.home], { stdio: 'ignore' });
    const session = from.replace(old.home, home.home);
    expect(lstatSync(join(session, 'out', 'outbound.db')).uid).toBe(0);
    expect((await home.berth('chat', 'after')).stdout).toBe('echo: after');
    expect(lstatSync(join(session, 'out', 'outbound.db')).uid).toBe(1000);
    expect(await home.json('dead-letters', 'list')).toEqual([]);
  });

  it('goes on in containers with what agents without them have written as root', async () => {
    await using home = homeThrough();
    const processes = await home.berth('--runtime', 'process', 'chat', 'before');
    expect(processes.stdout).toBe('echo: before');
    await home.berth('stop');
    expect((await home.berth('chat', 'after')).stdout).toBe('echo: after');
    expect((await home.json<{ runtime: string }>('status')).runtime).toBe('docker');
  });

  it('goes on after a copy that came back read-only', async () => {
    await using home = homeThrough();
    const session = await talk(home);
    execFileSync('/bin/sh', ['-c', 'chown -R 0:0 "$0" && chmod -R a-w "$0"', session]);
    expect((await home.berth('chat', 'after')).stdout).toBe('echo: after');
  });

  it('goes on with instructions that root has protected', async () => {
    await using home = homeThrough();
    await talk(home);
    const instructions = join(home.home, 'groups', 'main', 'CLAUDE.md');
    execFileSync('/bin/sh', ['-c', 'chown 0:0 "$0" && chattr +i "$0"', instructions]);
    try {
      expect((await home.berth('chat', 'after')).stdout).toBe('echo: after');
      expect(lstatSync(instructions).uid).toBe(0);
    } finally {
      execFileSync('chattr', ['-i', instructions]);
    }
  });

  it('says which file the agent cannot write, and what to do', async () => {
    await using home = homeThrough();
    const session = await talk(home);
    const path = join(session, 'out', 'outbound.db');
    execFileSync('/bin/sh', ['-c', 'chown 0:0 "$0" && chattr +i "$0"', path]);
    try {
      const { stdout, exitCode } = await home.berth('chat', 'after');
      expect(exitCode).toBe(1);
      expect(stdout).toContain('could not be handled');
      const letters = await home.json<{ reason: string }[]>('dead-letters', 'list');
      expect(letters[0]?.reason).toBe(
        `The agent (user 1000) cannot write ${path} (EPERM). It belongs to user 0. ` +
          'It may be immutable (see lsattr), or its file system keeps no owners.',
      );
    } finally {
      execFileSync('chattr', ['-i', path]);
    }
  });

  it('works with a root that may not give files away, and says so', async () => {
    await using home = homeThrough('unshare', '--user', '--map-root-user');
    expect((await home.berth('chat', 'hello')).stdout).toBe('echo: hello');
    expect((await home.berth('status', '--json')).stdout).toContain('Root may not give files');
    const [session] = await home.json<{ id: string }[]>('sessions', 'list');
    expect(lstatSync(join(home.sessionDir(session?.id ?? ''), 'out', 'outbound.db')).uid).toBe(
      1000,
    );
    for (const folder of ['data', 'groups'])
      expect(lstatSync(join(home.home, folder)).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(home.home, 'groups'))).toEqual(['main']);
  });
});
