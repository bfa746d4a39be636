import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startEngineServer, type EngineServer } from '../../../../test/fakes/engine-server.js';
import { DockerEngine } from './docker-engine.js';

describe('the engine client', () => {
  let server: EngineServer | undefined;
  let engine: DockerEngine | undefined;

  function clientOf(dockerHost: string, timeoutMs = 5_000): DockerEngine {
    engine = new DockerEngine({ dockerHost, timeoutMs, startTimeoutMs: timeoutMs });
    return engine;
  }

  async function clientOfServer(
    answer: Parameters<typeof startEngineServer>[0],
    timeoutMs?: number,
  ): Promise<DockerEngine> {
    server = await startEngineServer(answer);
    return clientOf(server.dockerHost, timeoutMs);
  }

  afterEach(async () => {
    engine?.close();
    await server?.close();
    server = undefined;
  });

  it.each([
    ['list', (one: DockerEngine) => one.listContainers('berth.install=x')],
    ['start', (one: DockerEngine) => one.startContainer('c1')],
    ['remove', (one: DockerEngine) => one.removeContainer('c1')],
    ['image', (one: DockerEngine) => one.findImage('berth-agent:1')],
    ['version', (one: DockerEngine) => one.version()],
    ['events', (one: DockerEngine) => one.openEvents('a=b', new AbortController().signal)],
  ])('gives up on an engine that never answers: %s', async (_name, call) => {
    const client = await clientOfServer(() => undefined, 150);

    const before = performance.now();
    await expect(call(client)).rejects.toMatchObject({ code: 'engine_timeout' });

    expect(performance.now() - before).toBeLessThan(1_500);
  });

  it('gives up on an answer that stops in its middle', async () => {
    const client = await clientOfServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.write('[{"Id":');
    }, 150);

    await expect(client.listContainers('a=b')).rejects.toMatchObject({ code: 'engine_timeout' });
  });

  it('waits for a stop as long as its grace and the time for a call', async () => {
    const client = await clientOfServer((request, response) => {
      expect(request.url).toBe('/containers/c1/stop?t=1');
      setTimeout(() => response.writeHead(204).end(), 400);
    }, 150);

    await client.stopContainer('c1', 1);
  });

  it('hands on what the engine says went wrong', async () => {
    const client = await clientOfServer((_request, response) => {
      response.writeHead(500, { 'Content-Type': 'application/json' });
      response.end('{"message":"no space left on device"}');
    });

    await expect(client.startContainer('c1')).rejects.toMatchObject({
      code: 'engine_failed',
      message: 'The container engine could not start the container: no space left on device',
      facts: { status: 500 },
    });
  });

  it('takes it as an answer that what is to be stopped or removed is gone', async () => {
    const statuses = [304, 404, 404, 409];
    const client = await clientOfServer((_request, response) => {
      response.writeHead(statuses.shift() ?? 500).end();
    });

    await client.stopContainer('c1', 0);
    await client.stopContainer('c1', 0);
    await client.removeContainer('c1');
    await client.removeContainer('c1');
    expect(statuses).toEqual([]);
  });

  it('says what to do where nothing listens', async () => {
    await expect(clientOf('unix:///nowhere/engine.sock').version()).rejects.toMatchObject({
      code: 'engine_unreachable',
      message: 'No container engine answers at unix:///nowhere/engine.sock.',
      next: expect.stringContaining('DOCKER_HOST') as string,
    });
    await expect(clientOf('tcp://127.0.0.1:1').version()).rejects.toMatchObject({
      code: 'engine_unreachable',
    });
  });

  it('says so when the socket is an ordinary file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berth-engine-'));
    await writeFile(join(folder, 'file'), '');

    const call = clientOf(`unix://${join(folder, 'file')}`).version();

    await expect(call).rejects.toMatchObject({ code: 'engine_unreachable' });
    await rm(folder, { recursive: true });
  });

  it('refuses an address that it cannot read', async () => {
    await expect(clientOf('ssh://somewhere').version()).rejects.toMatchObject({
      code: 'config_invalid',
    });
  });

  it('ends a stream when its signal aborts', async () => {
    const client = await clientOfServer((_request, response) => {
      response.writeHead(200).write('{}\n');
    });
    const stopping = new AbortController();
    const stream = await client.openEvents('a=b', stopping.signal);

    stopping.abort();

    await expect(stream.toArray()).rejects.toThrow();
  });
});
