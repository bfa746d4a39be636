/**
 * Checks that each session has one container, whatever becomes of the home: it is moved, copied, or its groups are
 * replaced.
 */
import { cpSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, inject, it } from 'vitest';
import { BerthHome, ElsewhereHome } from '../fakes/berth-home.js';
import { until } from '../fakes/waiting.js';

const docker = inject('docker');
const base =
  docker.available && docker.baseImage !== undefined ? { BERTH_BASE_IMAGE: docker.baseImage } : {};

/** Ids of all running containers of a session, whoever started them. */
async function running(sessionId: string): Promise<readonly string[]> {
  const filter = ['--filter', `label=berth.session=${sessionId}`];
  const { stdout } = await execa('docker', ['ps', '--quiet', '--no-trunc', ...filter]);
  return stdout.split('\n').filter((line) => line !== '');
}

async function ask(home: BerthHome, text: string): Promise<string> {
  const { stdout, stderr } = await home.berth('chat', text);
  expect(stdout, stderr).toBe(`echo: ${text}`);
  const [session] = await home.json<{ id: string }[]>('sessions', 'list');
  return session!.id;
}

/** The folder is to be there for its disposal. */
function leaveFolder(home: BerthHome): void {
  mkdirSync(home.home, { recursive: true });
}

describe.skipIf(!docker.available)('with containers, a home', () => {
  it('that was renamed after its daemon was killed takes its container over, and stops it', async () => {
    await using home = new BerthHome('docker', base);
    const sessionId = await ask(home, 'one');
    const before = await running(sessionId);
    expect(before).toHaveLength(1);
    await home.crash();
    await using moved = new ElsewhereHome(`${home.home}-moved`, home);
    renameSync(home.home, moved.home);
    leaveFolder(home);
    expect(await ask(moved, 'two')).toBe(sessionId);
    // Mounts follow the folders: it is the same one, and it answered.
    expect(await running(sessionId)).toEqual(before);
    await moved.berth('stop');
    expect(await running(sessionId)).toEqual([]);
  });

  it('that was copied leaves the container of the original alone, and has its own', async () => {
    await using home = new BerthHome('docker', base);
    const sessionId = await ask(home, 'one');
    const [mine] = await running(sessionId);
    await using copy = new ElsewhereHome(`${home.home}-copy`, home);
    // With owners, as a backup keeps them.
    await execa('cp', ['-a', home.home, copy.home]);
    expect(await ask(copy, 'two')).toBe(sessionId);
    const both = await running(sessionId);
    expect(both).toHaveLength(2);
    expect(both).toContain(mine);
    await copy.berth('stop');
    expect(await running(sessionId)).toEqual([mine]);
    await ask(home, 'three');
    expect(await running(sessionId)).toEqual([mine]);
  });

  it('replaces a container whose group folder is another of the same name, and one with another config', async () => {
    await using home = new BerthHome('docker', base);
    const sessionId = await ask(home, 'one');
    const [first] = await running(sessionId);
    await home.crash();
    const folder = join(home.home, 'groups', 'main');
    renameSync(folder, `${folder}.old`);
    cpSync(`${folder}.old`, folder, { recursive: true });
    await ask(home, 'two');
    await until(async () => {
      expect(await running(sessionId)).not.toContain(first);
    });
    await ask(home, 'three');
    const [second] = await running(sessionId);
    expect(await running(sessionId)).toHaveLength(1);
    const { stdout } = await home.berth('logs');
    expect(stdout).toContain("its agent group's folder was replaced");
    await home.berth('agent-groups', 'update', 'main', '--container-config', '{"memoryMb":300}');
    await until(async () => {
      expect(await running(sessionId)).not.toContain(second);
    });
    await ask(home, 'four');
    const [third] = await running(sessionId);
    const limit = await execa('docker', ['inspect', '-f', '{{.HostConfig.Memory}}', third!]);
    expect(limit.stdout).toBe(String(300 * 1_048_576));
  });

  it('that names its engine otherwise than before keeps its containers, which are in it', async () => {
    await using home = new BerthHome('docker', base);
    const sessionId = await ask(home, 'one');
    const before = await running(sessionId);
    await home.crash();
    const named = new ElsewhereHome(home.home, home, {
      DOCKER_HOST: 'unix:///var/run/../run/docker.sock',
    });
    await ask(named, 'two');
    expect(await running(sessionId)).toEqual(before);
  });

  it('ends what still runs in the engine of before, and says so where that is away', async () => {
    await using home = new BerthHome('docker', base);
    const sessionId = await ask(home, 'one');
    await home.crash();
    // The engine of now is away: what runs belongs to that of before.
    const away = { DOCKER_HOST: 'unix:///nowhere/docker.sock', BERTH_ENGINE_TIMEOUT_MS: '500' };
    const other = new ElsewhereHome(home.home, home, away);
    await other.berth('start', '--detach');
    await other.crash();
    const { stdout } = await home.berth('start', '--detach');
    expect(stdout).toContain('The engine at unix:///nowhere/docker.sock, which this home has used');
    expect((await home.berth('status')).stdout).toContain('stop them there');
    expect(await running(sessionId)).toHaveLength(1);
  });
});
