import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../shared/base/logger.js';
import { InboundWatcher } from './inbound-watcher.js';
import { settled, until } from '../test/fakes/waiting.js';

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

  it('hints at the end of a commit, at a file that is replaced, and at nothing else', async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'inbound.db'), 'one');
    watcher.start();
    writeFileSync(join(folder, 'runner.json'), '{}');
    const journal = join(folder, 'inbound.db-journal');
    for (const round of [1, 2, 3]) {
      writeFileSync(journal, String(round));
      writeFileSync(join(folder, 'inbound.db'), String(round));
      await settled();
      expect(changes).toBe(round - 1);
      rmSync(journal);
      await until(() => {
        expect(changes).toBe(round);
      });
    }
    writeFileSync(join(folder, 'inbound.db.new'), 'two');
    renameSync(join(folder, 'inbound.db.new'), join(folder, 'inbound.db'));
    await until(() => {
      expect(changes).toBe(4);
    });
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
