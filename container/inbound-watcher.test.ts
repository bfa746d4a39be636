import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../shared/base/logger.js';
import { InboundWatcher } from './inbound-watcher.js';
import { until } from '../test/fakes/waiting.js';

describe('watching inbound.db', () => {
  let folder: string;
  let changes: number;
  let watcher: InboundWatcher;

  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'berth-watch-')), 'in');
    changes = 0;
    watcher = new InboundWatcher({
      inDir: folder,
      onChange: () => (changes += 1),
      retryMs: 10,
      log: silentLogger,
    });
  });

  afterEach(() => {
    watcher.stop();
    rmSync(join(folder, '..'), { recursive: true, force: true });
  });

  async function expectHint(name: string): Promise<void> {
    const before = changes;
    writeFileSync(join(folder, name), String(before));
    await until(() => {
      expect(changes).toBeGreaterThan(before);
    });
  }

  it('hints at writes to the file and to its journal, and at nothing else', async () => {
    mkdirSync(folder);
    watcher.start();
    writeFileSync(join(folder, 'runner.json'), '{}');
    await expectHint('inbound.db');
    await expectHint('inbound.db-journal');
  });

  it('begins as soon as the folder is there, and hints at what was missed', async () => {
    watcher.start();
    mkdirSync(folder);
    await until(() => {
      expect(changes).toBeGreaterThan(0);
    });
    await expectHint('inbound.db');
  });
});
