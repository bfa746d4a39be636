import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeEngine, listEnginePlaces, type EngineSearch } from './engine-places.js';

describe('the places where an engine may listen', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-places-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function writeContext(name: string, host: string): void {
    const id = createHash('sha256').update(name).digest('hex');
    const meta = join(folder, 'contexts', 'meta', id);
    mkdirSync(meta, { recursive: true });
    const json = { Name: name, Metadata: {}, Endpoints: { docker: { Host: host } } };
    writeFileSync(join(meta, 'meta.json'), JSON.stringify(json));
  }

  function writeConfig(text: string): void {
    writeFileSync(join(folder, 'config.json'), text);
  }

  async function list(change: Partial<EngineSearch> = {}): Promise<readonly string[]> {
    const places = await listEnginePlaces({
      dockerHost: undefined,
      dockerContext: undefined,
      dockerConfigDir: folder,
      runtimeDir: '/run/user/1000',
      ...change,
    });
    return places.map(({ dockerHost }) => dockerHost);
  }

  it('are the usual sockets, in their order, where nothing is said', async () => {
    expect(await list()).toEqual([
      'unix:///var/run/docker.sock',
      'unix:///run/user/1000/docker.sock',
      `unix://${folder}/run/docker.sock`,
      'unix:///run/user/1000/podman/podman.sock',
      'unix:///run/podman/podman.sock',
    ]);
    expect(await list({ runtimeDir: undefined, dockerConfigDir: undefined })).toEqual([
      'unix:///var/run/docker.sock',
      'unix:///run/podman/podman.sock',
    ]);
  });

  it('are the one that DOCKER_HOST names, and no other', async () => {
    writeConfig('{"currentContext":"mine"}');
    writeContext('mine', 'unix:///mine.sock');
    expect(await list({ dockerHost: 'tcp://engine.example:2375' })).toEqual([
      'tcp://engine.example:2375',
    ]);
  });

  it('begin with the current context, or the one that DOCKER_CONTEXT names', async () => {
    writeConfig('{"currentContext":"mine","auths":{}}');
    writeContext('mine', 'unix:///mine.sock');
    writeContext('other', 'unix:///other.sock');
    expect((await list())[0]).toBe('unix:///mine.sock');
    expect((await list({ dockerContext: 'other' }))[0]).toBe('unix:///other.sock');
    expect((await list({ dockerContext: 'default' }))[0]).toBe('unix:///var/run/docker.sock');
  });

  it('have each address once', async () => {
    writeConfig('{"currentContext":"rootless"}');
    writeContext('rootless', 'unix:///run/user/1000/docker.sock');
    expect(await list()).toEqual([
      'unix:///run/user/1000/docker.sock',
      'unix:///var/run/docker.sock',
      `unix://${folder}/run/docker.sock`,
      'unix:///run/user/1000/podman/podman.sock',
      'unix:///run/podman/podman.sock',
    ]);
  });

  it.each([
    ['is of another machine', '{"currentContext":"it"}', 'tcp://10.0.0.1:2376'],
    ['is behind ssh', '{"currentContext":"it"}', 'ssh://ann@host'],
    ['is not there', '{"currentContext":"gone"}', 'unix:///it.sock'],
    ['cannot be read', '{"currentContext":', 'unix:///it.sock'],
    ['has no name', '{"currentContext":7}', 'unix:///it.sock'],
  ])('leave out a context that %s', async (_, config, host) => {
    writeConfig(config);
    writeContext('it', host);
    expect((await list())[0]).toBe('unix:///var/run/docker.sock');
  });

  it('are told as people write them, also where they are none', () => {
    expect(describeEngine('')).toBe('unix:///var/run/docker.sock');
    expect(describeEngine('tcp://engine')).toBe('tcp://engine:2375');
    expect(describeEngine('ssh://host')).toBe('ssh://host');
  });
});
