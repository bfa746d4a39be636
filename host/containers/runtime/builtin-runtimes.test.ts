import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../shared/base/logger.js';
import { runtimeNames } from '../../../shared/protocol/runtime-names.js';
import { FakeClock } from '../../../test/fakes/fake-clock.js';
import { buildRuntime } from './build-runtime.js';
import {
  builtinRuntimes,
  findAgentImage,
  type RuntimeSettings,
  type RuntimeStrategy,
} from './builtin-runtimes.js';

/** As an engine with nothing in it answers. */
function engineWith(securityOptions: readonly string[] | null): RequestListener {
  const answers: Readonly<Record<string, unknown>> = {
    '/version': { Version: '4.3.1', Components: [{ Name: 'Podman Engine' }] },
    '/info': { SecurityOptions: securityOptions },
  };
  return (request, response) => {
    const body = answers[request.url?.split('?')[0] ?? ''] ?? [];
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  };
}

const engineWithNothing = engineWith(['name=seccomp,profile=default', 'name=cgroupns']);

describe('what can run agents', () => {
  let folder: string;
  const servers: Server[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-runtimes-'));
  });

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    rmSync(folder, { recursive: true });
  });

  async function listen(
    path: string,
    answer: RequestListener = engineWithNothing,
  ): Promise<string> {
    const socket = join(folder, path);
    mkdirSync(dirname(socket), { recursive: true });
    const server = createServer(answer);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    return `unix://${socket}`;
  }

  function settings(change: Partial<RuntimeSettings['engineSearch']> = {}): RuntimeSettings {
    return {
      engineSearch: {
        dockerHost: undefined,
        dockerContext: undefined,
        dockerConfigDir: folder,
        runtimeDir: folder,
        ...change,
      },
      baseImage: undefined,
      engineTimeoutMs: 500,
      agentImageDir: folder,
      log: silentLogger,
      pollIntervalMs: 1_000,
      runners: { echo: join(folder, 'runner-echo.cjs') },
      processesDir: join(folder, 'processes'),
      executablePath: '/usr/bin',
      installId: 'i',
      clock: new FakeClock(),
    };
  }

  /** Those that lie in this test's folder: the machine may have engines of its own. */
  async function own(
    change: Partial<RuntimeSettings['engineSearch']> = {},
  ): Promise<readonly RuntimeStrategy[]> {
    const all = await builtinRuntimes(settings(change));
    return all.filter(({ address }) => address?.includes(folder) ?? true);
  }

  it('is tried in an order that ends with what isolates nothing, and each says truly whether it isolates', async () => {
    const all = await builtinRuntimes(settings());
    expect(all.map(({ name }) => name)).toEqual([
      'docker',
      'docker',
      'docker',
      'docker',
      'docker',
      'process',
    ]);
    expect(new Set(all.map(({ name }) => name))).toEqual(new Set(runtimeNames));
    for (const strategy of all) {
      const runtime = strategy.build();
      expect([runtime.name, runtime.isolates]).toEqual([strategy.name, strategy.isolates]);
      await runtime.close();
    }
  });

  it('is reached where an engine answers at a socket of rootless Docker or of Podman', async () => {
    const docker = await listen('docker.sock');
    const podman = await listen('podman/podman.sock');
    const reached: string[] = [];
    for (const strategy of await own()) {
      if ((await strategy.canReach()) === undefined) reached.push(strategy.address ?? 'no engine');
    }
    expect(reached).toEqual([docker, podman, 'no engine']);
  });

  it('is not reached where nothing answers, and says why', async () => {
    const silent = await listen('silent.sock', () => undefined);
    const [nowhere] = await own({ dockerHost: `unix://${folder}/nowhere.sock` });
    expect(await nowhere?.canReach()).toMatchObject({ code: 'engine_unreachable' });
    const [hanging] = await own({ dockerHost: silent });
    expect(await hanging?.canReach()).toMatchObject({ code: 'engine_timeout' });
    const [unknown] = await builtinRuntimes(settings({ dockerHost: 'ssh://host' }));
    expect(await unknown?.canReach()).toMatchObject({ code: 'config_invalid' });
  });

  it.each(['name=rootless', 'name=userns'])(
    'is not reached where agents could not write their files (%s), and says so',
    async (option) => {
      const dockerHost = await listen('mapping.sock', engineWith(['name=seccomp', option]));
      const [mapping] = await own({ dockerHost });
      expect(await mapping?.canReach()).toMatchObject({
        message: expect.stringContaining('could not write their files') as string,
        next: expect.stringContaining('DOCKER_HOST') as string,
      });
    },
  );

  it('is what answers, whatever was chosen, with its engine told', async () => {
    const dockerHost = await listen('podman/podman.sock');
    const wish = { choice: 'docker', ranIsolated: false, lastEngine: null } as const;
    const built = await buildRuntime(settings({ dockerHost }), wish, () => undefined);
    expect(built).toMatchObject({ engine: dockerHost, remark: null, leftIn: undefined });
    await built.runtime.close();
    const { engine } = await findAgentImage(settings({ dockerHost }));
    expect(await engine.version()).toBe('Podman Engine 4.3.1');
    engine.close();
  });

  it('ends containers in the engine of before, and names it where it does not answer', async () => {
    const removed: string[] = [];
    const container = {
      Id: 'c-1',
      Names: ['/berth-i-s-1'],
      Labels: { 'berth.install': 'i', 'berth.session': 's-1', 'berth.agent-group': 'g' },
      State: 'running',
      Status: 'Up',
    };
    const before = await listen('before.sock', (request, response) => {
      if (request.method === 'DELETE') removed.push(request.url ?? '');
      const isList = request.url?.startsWith('/containers/json') ?? false;
      response.writeHead(isList ? 200 : 204, { 'Content-Type': 'application/json' });
      response.end(isList ? JSON.stringify([container]) : undefined);
    });
    const dockerHost = await listen('now.sock');
    const build = async (lastEngine: string): Promise<string | undefined> => {
      const wish = { choice: 'docker', ranIsolated: true, lastEngine } as const;
      const built = await buildRuntime(settings({ dockerHost }), wish, () => undefined);
      await built.runtime.close();
      return built.leftIn;
    };
    expect(await build(before)).toBeUndefined();
    expect(removed).toMatchObject([expect.stringContaining('c-1')]);
    expect(await build(`unix://${folder}/gone.sock`)).toBe(`unix://${folder}/gone.sock`);
  });
});
