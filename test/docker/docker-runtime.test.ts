import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  it,
  vi,
} from 'vitest';
import type { AgentImage } from '../../host/containers/runtime/docker/agent-image.js';
import type { ContainerSpec } from '../../host/containers/spec/container-runtime.js';
import { createBody } from '../../host/containers/runtime/docker/docker-create-body.js';
import type { DockerEngine } from '../../host/containers/runtime/docker/docker-engine.js';
import type { DockerRuntime } from '../../host/containers/runtime/docker/docker-runtime.js';
import { runtimeContract } from '../contracts/runtime-contract.js';
import { makeWorkspace, specFor } from '../fakes/container-specs.js';
import {
  makeStandInContext,
  removeContext,
  testEngine,
  testImage,
  testRuntime,
} from '../fakes/docker-runtimes.js';
import { until } from '../fakes/waiting.js';

const docker = inject('docker');

interface Report {
  readonly uid: number;
  readonly status: Readonly<Record<string, string>>;
  readonly interfaces: readonly string[];
  readonly memoryLimit: number;
  readonly write: Readonly<Record<string, string>>;
  readonly mounts: string;
}

describe.skipIf(!docker.available)('with a container engine', () => {
  let context: string;
  let image: AgentImage;
  let imageEngine: DockerEngine;

  beforeAll(async () => {
    context = await makeStandInContext();
    imageEngine = testEngine();
    image = testImage(imageEngine, context, docker.available ? docker.baseImage : undefined);
    await image.ensure(() => undefined);
  });

  afterAll(async () => {
    imageEngine.close();
    await removeContext(context);
  });

  runtimeContract('docker', (installId) => testRuntime(testEngine(), image, installId));

  describe('the docker runtime', () => {
    const installId = 'test-docker';
    let folder: string;
    let engine: DockerEngine;
    let runtime: DockerRuntime;

    async function spec(sessionId: string, plan: string): Promise<ContainerSpec> {
      const workspace = await makeWorkspace(join(folder, sessionId));
      return specFor({ installId, sessionId, workspace, env: { TEST_PLAN: plan } });
    }

    async function probe(): Promise<Report> {
      const wanted = await spec('s-probe', 'probe');
      await runtime.start(wanted);
      return await until(async () => {
        const text = await readFile(join(wanted.workspace.outDir, 'report.json'), 'utf8');
        return JSON.parse(text) as Report;
      });
    }

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'berth-docker-'));
      engine = testEngine();
      runtime = testRuntime(engine, image, installId);
    });

    afterEach(async () => {
      for (const { containerId } of await runtime.list()) await runtime.remove(containerId);
      await runtime.close();
      await rm(folder, { recursive: true, force: true });
    });

    it('gives the agent no rights: no root, no capabilities, no way to gain any', async () => {
      const { uid, status } = await probe();

      expect(uid).not.toBe(0);
      expect(status['CapEff']).toBe('0000000000000000');
      expect(status['CapBnd']).toBe('0000000000000000');
      expect(status['NoNewPrivs']).toBe('1');
    });

    it('gives it nothing to write to but its own folders and a small /tmp', async () => {
      const { write, mounts } = await probe();

      expect(write).toMatchObject({ in: 'EROFS', root: 'EROFS', program: 'EROFS', tmp: 'done' });
      const tmp = mounts.split('\n').find((line) => line.split(' ')[1] === '/tmp') ?? '';
      expect(tmp.split(' ')[3]?.split(',')).toEqual(
        expect.arrayContaining(['nosuid', 'nodev', 'noexec', 'size=65536k']),
      );
      const own = mounts.split('\n').filter((line) => line.includes(' /workspace/'));
      expect(own.map((line) => line.split(' ')[1]).sort()).toEqual([
        '/workspace/agent',
        '/workspace/home',
        '/workspace/in',
        '/workspace/out',
      ]);
    });

    it('gives it no network and no more memory than it may have', async () => {
      const { interfaces, memoryLimit } = await probe();

      expect(interfaces.filter((name) => name !== 'lo')).toEqual([]);
      expect(memoryLimit).toBe(256 * 1_048_576);
    });

    it('clears away a container that a crash left before it ran', async () => {
      const wanted = await spec('s-1', 'wait');
      const left = await engine.createContainer(
        wanted.name,
        createBody(wanted, await image.tag(), 1),
      );
      expect(await runtime.list()).toMatchObject([{ state: 'exited', startedAtMs: 0 }]);

      const containerId = await runtime.start(wanted);

      expect(containerId).not.toBe(left);
      expect(await runtime.list()).toMatchObject([{ containerId, state: 'running' }]);
    });

    it('removes a container that was made but could not be started', async () => {
      const wanted = await spec('s-1', 'wait');
      const unknown = { ...wanted, posture: { ...wanted.posture, user: 'nobody-knows' } };

      await expect(runtime.start(unknown)).rejects.toMatchObject({
        code: 'engine_failed',
        message: expect.stringContaining('nobody-knows') as string,
      });

      expect(await engine.findContainer(wanted.name)).toBeUndefined();
    });

    it('does not list a container while it is being started', async () => {
      const seen: string[] = [];
      const starting = runtime.start(await spec('s-1', 'wait')).then(() => 'started');
      const check = async (): Promise<'checked'> => {
        seen.push(...(await runtime.list()).map((one) => one.state));
        return 'checked';
      };
      while ((await Promise.race([starting, check()])) === 'checked');

      expect(seen.filter((state) => state !== 'running')).toEqual([]);
    });

    it('learns of a container that was killed from outside', async () => {
      const onExit = vi.fn();
      runtime.watchExits(onExit);
      const containerId = await runtime.start(await spec('s-1', 'wait'));

      await engine.removeContainer(containerId);

      await until(() => {
        expect(onExit).toHaveBeenCalledWith({ containerId, sessionId: 's-1' });
      });
    });
  });
});
