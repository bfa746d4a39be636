import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../../shared/base/logger.js';
import {
  logFrame,
  startEngineServer,
  type EngineServer,
} from '../../../../test/fakes/engine-server.js';
import { DockerEngine } from './docker-engine.js';
import { DockerLogs } from './docker-logs.js';
import { until } from '../../../../test/fakes/waiting.js';

const time = (micros: number): string =>
  `2026-01-02T03:04:05.${String(micros).padStart(6, '0')}999Z`;

describe('the log of a container', () => {
  let folder: string;
  let path: string;
  let server: EngineServer;
  /** The requests that the fake engine was sent. */
  let asked: string[];
  let logs: DockerLogs;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-docker-log-'));
    path = join(folder, 'c.log');
    asked = [];
    server = await startEngineServer((request, response) => {
      asked.push(request.url ?? '');
      if (request.url?.endsWith('/json') === true) {
        response.end(
          JSON.stringify({
            Id: 'c1',
            Name: '/c1',
            Config: { Labels: {} },
            State: { Status: asked.length < 4 ? 'running' : 'exited', ExitCode: 0 },
          }),
        );
        return;
      }
      response.write(logFrame(time(1), 'one\n'));
      response.write(logFrame(time(2), 'two\n', 2));
      if (asked.length > 1) response.write(logFrame(time(3), 'three\n'));
      response.end();
    });
    const engine = new DockerEngine({
      dockerHost: server.dockerHost,
      timeoutMs: 5_000,
      startTimeoutMs: 5_000,
    });
    const limits = { maxBytes: 1_000, keep: 1 };
    logs = new DockerLogs({ engine, limits, log: silentLogger });
  });

  afterEach(async () => {
    await logs.stop();
    await server.close();
    await rm(folder, { recursive: true });
  });

  it('goes on where it was when the stream breaks, and ends with the container', async () => {
    logs.follow('c1', path, 'start');
    logs.follow('c1', path, 'start');

    await until(() => {
      expect(asked.length).toBe(4);
    });
    await logs.stop();

    expect(await readFile(path, 'utf8')).toBe('one\ntwo\nthree\n');
    const since = asked
      .filter((url) => url.includes('/logs'))
      .map((url) => new URLSearchParams(url.split('?')[1]).get('since'));
    const secondsAt = String(Date.parse('2026-01-02T03:04:05Z') / 1_000);
    expect(since).toEqual(['0.000000', `${secondsAt}.000002`]);
  });

  it('is not written twice by the next daemon', async () => {
    logs.follow('c1', path, 'start');
    await until(async () => {
      expect(await readFile(path, 'utf8')).toBe('one\ntwo\nthree\n');
    });
    await logs.stop();

    const next = new DockerLogs({
      engine: new DockerEngine({
        dockerHost: server.dockerHost,
        timeoutMs: 5_000,
        startTimeoutMs: 5_000,
      }),
      limits: { maxBytes: 1_000, keep: 1 },
      log: silentLogger,
    });
    const before = asked.length;
    next.follow('c1', path, 'last');
    await until(() => {
      expect(asked.length).toBe(before + 2);
    });
    await next.stop();

    expect(await readFile(path, 'utf8')).toBe('one\ntwo\nthree\n');
  });
});
