/** The posture of real containers: asked of the engine, read back from it, and seen by the kernel. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { AgentImage } from '../../host/containers/runtime/docker/agent-image.js';
import type { ContainerSpec } from '../../host/containers/spec/container-runtime.js';
import { DockerEngine } from '../../host/containers/runtime/docker/docker-engine.js';
import type { DockerRuntime } from '../../host/containers/runtime/docker/docker-runtime.js';
import { BerthHome } from '../fakes/berth-home.js';
import { makeWorkspace, specFor, unprivilegedUser } from '../fakes/container-specs.js';
import {
  makeStandInContext,
  removeContext,
  testEngine,
  testImage,
  testRuntime,
} from '../fakes/docker-runtimes.js';
import { startEngineProxy, withHostConfig, without } from '../fakes/engine-proxy.js';
import type { EngineServer } from '../fakes/engine-server.js';
import { until } from '../fakes/waiting.js';

const docker = inject('docker');
const base =
  docker.available && docker.baseImage !== undefined ? { BERTH_BASE_IMAGE: docker.baseImage } : {};
const unconfined = withHostConfig({ SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] });

describe.skipIf(!docker.available)('a container of a real engine', () => {
  let context: string;
  let image: AgentImage;
  let imageEngine: DockerEngine;
  let folder: string;
  const open: DockerRuntime[] = [];
  let proxy: EngineServer | undefined;

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

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-posture-'));
  });

  afterEach(async () => {
    for (const runtime of open) {
      for (const { containerId } of await runtime.list()) await runtime.remove(containerId);
      await runtime.close();
    }
    open.length = 0;
    await proxy?.close();
    proxy = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  function runtimeAt(dockerHost?: string): DockerRuntime {
    const engine =
      dockerHost === undefined
        ? testEngine()
        : new DockerEngine({ dockerHost, timeoutMs: 30_000, startTimeoutMs: 60_000 });
    const runtime = testRuntime(engine, image, 'test-posture');
    open.push(runtime);
    return runtime;
  }

  async function makeSpec(): Promise<ContainerSpec> {
    const workspace = await makeWorkspace(join(folder, 's-1'));
    return specFor({
      installId: 'test-posture',
      sessionId: 's-1',
      workspace,
      env: { TEST_PLAN: 'wait' },
    });
  }

  it('has what its posture says, and the kernel sees the same of its program', async () => {
    const runtime = runtimeAt();
    const spec = await makeSpec();

    const containerId = await runtime.start(spec);

    const { HostConfig, Mounts, Config } = await new Docker().getContainer(containerId).inspect();
    expect(Config.User).toBe(unprivilegedUser());
    expect(HostConfig).toMatchObject({
      CapAdd: [],
      CapDrop: ['ALL'],
      CgroupnsMode: 'private',
      Memory: 256 * 1_048_576,
      NanoCpus: 1e9,
      NetworkMode: 'none',
      OomScoreAdj: 500,
      PidsLimit: 64,
      Privileged: false,
      ReadonlyRootfs: true,
      SecurityOpt: ['no-new-privileges'],
      Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=64m,mode=1777' },
      Ulimits: [
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'nofile', Soft: 1_024, Hard: 4_096 },
      ],
    });
    expect(Mounts.map(({ Source, Destination, RW }) => [Source, Destination, RW]).sort()).toEqual(
      spec.posture.mounts.map(({ source, target, readOnly }) => [source, target, !readOnly]).sort(),
    );
    expect(await runtime.verify(containerId, spec.posture)).toEqual({ kind: 'kept' });
    expect(await runtime.verify(containerId, undefined)).toEqual({ kind: 'kept' });
  });

  it('sees its own control groups, and has the limits of its posture', async () => {
    const runtime = runtimeAt();
    const containerId = await runtime.start(await makeSpec());
    const script =
      'ulimit -c; ulimit -Sn; ulimit -Hn; cat /proc/1/oom_score_adj /proc/self/cgroup | tr "\\n" " "';

    const { stdout } = await execa('docker', ['exec', containerId, 'sh', '-c', script]);

    const [core, soft, hard, rest = ''] = stdout.split('\n');
    expect([core, soft, hard]).toEqual(['0', '1024', '4096']);
    expect(rest).toMatch(/^500 /);
    expect(rest).not.toContain(containerId);
  });

  it.each([
    ['CapDrop', 'it keeps capabilities of root'],
    ['SecurityOpt', 'its programs may gain privileges'],
    ['ReadonlyRootfs', 'its root file system can be written'],
    ['Ulimits', 'its ulimit core is not set instead of 0:0'],
    ['CgroupnsMode', "it sees others' control groups"],
    ['PidsLimit', 'it is not limited to 64 processes'],
    ['NetworkMode', 'its network is "default" instead of none'],
    ['Mounts', 'its /workspace/in is not '],
  ])(
    'of which the engine is not asked for %s is not started, and taken away',
    async (field, why) => {
      proxy = await startEngineProxy({ create: without(field) });
      const runtime = runtimeAt(proxy.dockerHost);

      await expect(runtime.start(await makeSpec())).rejects.toMatchObject({
        code: 'posture_differs',
        message: expect.stringContaining(why) as string,
        next: expect.stringMatching(/\w/) as string,
      });

      expect(await runtime.list()).toEqual([]);
    },
  );

  it('of which the engine says what is not true is found out by what the kernel says', async () => {
    proxy = await startEngineProxy({
      create: unconfined,
      claim: { SecurityOpt: ['no-new-privileges'] },
    });
    const runtime = runtimeAt(proxy.dockerHost);
    const spec = await makeSpec();

    const containerId = await runtime.start(spec);

    expect(await runtime.verify(containerId, spec.posture)).toMatchObject({
      kind: 'differs',
      error: {
        code: 'posture_differs',
        message: expect.stringContaining('(Seccomp 0)') as string,
        next: expect.stringContaining('/etc/docker/daemon.json') as string,
      },
    });
  });

  it('that has ended meanwhile differs in nothing', async () => {
    const runtime = runtimeAt();
    const spec = await makeSpec();
    const containerId = await runtime.start(spec);
    await runtime.stop(containerId, 0);
    expect(await runtime.verify(containerId, spec.posture)).toEqual({ kind: 'gone' });
    await runtime.remove(containerId);
    expect(await runtime.verify(containerId, spec.posture)).toEqual({ kind: 'gone' });
  });
});

describe.skipIf(!docker.available)('a home whose engine gives containers something else', () => {
  it('tells the chat, says why in status, answers nothing, and goes on when that is over', async () => {
    let isObedient = false;
    await using proxy = await disposable(
      startEngineProxy({ create: (body) => (isObedient ? body : without('CapDrop')(body)) }),
    );
    await using home = new BerthHome('docker', { ...base, DOCKER_HOST: proxy.dockerHost });
    await home.start();
    await using wire = await home.wire();

    wire.say('hello');
    await wire.until(() => wire.replies().length > 0, 60_000);

    expect(wire.replies()[0]).toContain('cannot be started right now');
    const { problem } = await home.json<{ problem: string }>('status');
    expect(problem).toMatch(/it keeps capabilities of root.*DOCKER_HOST/);
    expect(await home.json('dead-letters', 'list')).toEqual([]);

    isObedient = true;
    await wire.until(() => wire.replies().includes('echo: hello'), 60_000);
    expect(await home.json('status')).toMatchObject({ problem: null, unverified: null });
  });

  it('ends a container that the kernel sees otherwise before its agent has answered', async () => {
    await using proxy = await disposable(
      startEngineProxy({ create: unconfined, claim: { SecurityOpt: ['no-new-privileges'] } }),
    );
    await using home = new BerthHome('docker', { ...base, DOCKER_HOST: proxy.dockerHost });
    await home.start();
    await using wire = await home.wire();

    wire.say('!sleep 3000 hello');
    await wire.until(() => wire.replies().length > 0, 60_000);

    expect(wire.replies()[0]).toContain('cannot be started right now');
    await until(async () => {
      const { problem } = await home.json<{ problem: string }>('status');
      expect(problem).toContain('no seccomp profile filters its system calls');
    });
    expect((await home.berth('logs')).stdout).toContain('differs from its posture');
  });
});

async function disposable(
  starting: Promise<EngineServer>,
): Promise<EngineServer & AsyncDisposable> {
  const server = await starting;
  return { ...server, [Symbol.asyncDispose]: () => server.close() };
}
