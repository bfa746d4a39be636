import { afterEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../../shared/base/logger.js';
import { startEngineServer, type EngineServer } from '../../../../test/fakes/engine-server.js';
import { DockerEngine } from './docker-engine.js';
import { watchDockerExits } from './docker-exits.js';
import { until } from '../../../../test/fakes/waiting.js';

function die(containerId: string, sessionId: string): string {
  const Attributes = { 'berth.session': sessionId, exitCode: '1' };
  return `${JSON.stringify({ Type: 'container', Action: 'die', Actor: { ID: containerId, Attributes } })}\n`;
}

describe('watching for exits', () => {
  let server: EngineServer | undefined;

  afterEach(async () => {
    await server?.close();
  });

  it('goes on after the engine was away, and tells what ended meanwhile', async () => {
    let connections = 0;
    server = await startEngineServer((_request, response) => {
      connections += 1;
      response.writeHead(200);
      if (connections === 1) {
        response.write('{"Type":"container","Action":"start"}\nnot json\n');
        response.write(die('c1', 's-1'), () => response.destroy());
      } else if (connections === 2) {
        response.destroy();
      } else {
        response.write(die('c3', 's-3'));
      }
    });
    const engine = new DockerEngine({
      dockerHost: server.dockerHost,
      timeoutMs: 5_000,
      startTimeoutMs: 5_000,
    });
    const onExit = vi.fn();
    const stopping = new AbortController();

    const watching = watchDockerExits(
      {
        engine,
        label: 'berth.install=x',
        listExits: () => Promise.resolve([{ containerId: 'c2', sessionId: 's-2' }]),
        onExit,
        log: silentLogger,
      },
      stopping.signal,
    );

    await until(() => {
      const told = onExit.mock.calls.map(([exit]) => (exit as { containerId: string }).containerId);
      expect(told).toEqual(['c1', 'c2', 'c3']);
    });
    stopping.abort();
    await watching;
  });
});
