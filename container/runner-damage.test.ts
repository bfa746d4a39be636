import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../shared/base/clock.js';
import type { BerthError } from '../shared/base/errors.js';
import { newId } from '../shared/base/ids.js';
import { silentLogger } from '../shared/base/logger.js';
import { damageMarkPath, inboundDbPath, outboundDbPath } from '../shared/protocol/workspace.js';
import { chatRow, FakeHost, outboundMigrations } from '../test/fakes/fake-host.js';
import { until } from '../test/fakes/waiting.js';
import { EchoProvider } from './providers/echo-provider.js';
import { Runner } from './runner.js';

describe('a runner that cannot use a file', () => {
  let host: FakeHost;
  let runner: Runner;
  const fatals: BerthError[] = [];

  beforeEach(async () => {
    host = new FakeHost();
    await host.create();
    runner = new Runner({
      workspace: host.workspace,
      config: {
        batchSize: 5,
        pollIntervalMs: 100,
        heartbeatIntervalMs: 10,
      },
      migrations: outboundMigrations,
      provider: new EchoProvider({
        prefix: 'echo: ',
        heartbeatIntervalMs: 10,
        exit: () => {
          throw new Error('exit');
        },
        clock: systemClock,
      }),
      clock: systemClock,
      newId,
      log: silentLogger,
      writePatienceMs: 100,
      pruneQuietMs: 60_000,
      onFatal: (error) => {
        fatals.push(error);
      },
    });
  });

  afterEach(async () => {
    await runner.stop(0);
    fatals.length = 0;
    host.remove();
  });

  function readMark(): string {
    return readFileSync(damageMarkPath(host.workspace.outDir), 'utf8').trim();
  }

  async function untilOver(): Promise<void> {
    await until(() => {
      expect(fatals).toHaveLength(1);
    });
  }

  it.each<[string, (path: string) => void]>([
    [
      'is no database',
      (path) => {
        writeFileSync(path, 'no database'.repeat(1_000));
      },
    ],
    [
      'is a folder',
      (path) => {
        mkdirSync(path);
      },
    ],
  ])('names outbound.db where it %s at its start', (_, damage) => {
    damage(outboundDbPath(host.workspace.outDir));
    expect(() => {
      runner.start();
    }).toThrow();
    expect(readMark()).toBe('outbound.db');
  });

  it('names outbound.db where it is gone in the middle of the work, and ends', async () => {
    runner.start();
    rmSync(outboundDbPath(host.workspace.outDir));
    await host.post(chatRow('m-1', 'hello'));
    await untilOver();
    expect(readMark()).toBe('outbound.db');
  });

  it('names inbound.db where it stays damaged, and ends', async () => {
    runner.start();
    await host.post(chatRow('m-1', 'hello'));
    await until(async () => {
      expect(await host.listTexts()).toHaveLength(1);
    });
    writeFileSync(inboundDbPath(host.workspace.inDir), 'no database'.repeat(1_000));
    await untilOver();
    expect(readMark()).toBe('inbound.db');
  });

  it('names inbound.db where it is gone for longer than it takes to replace it, and ends', async () => {
    runner.start();
    await host.post(chatRow('m-1', 'hello'));
    await until(async () => {
      expect(await host.listTexts()).toHaveLength(1);
    });
    rmSync(inboundDbPath(host.workspace.inDir));
    await untilOver();
    expect(readMark()).toBe('inbound.db');
  });
});
