import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../../shared/base/migrate.js';
import { OutboundWriter } from '../../../shared/protocol/outbound-writer.js';
import { OpenReaders } from './open-readers.js';

describe.runIf(process.platform === 'linux')('files that a reader keeps open', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-readers-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function place(name: string) {
    return { path: join(folder, name), viewDir: null, busyTimeoutMs: 0 };
  }

  /** Names in the folder that this process has open. */
  function listOpen(): readonly string[] {
    return readdirSync('/proc/self/fd')
      .flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/self/fd/${fd}`)];
        } catch {
          return [];
        }
      })
      .filter((path) => path.startsWith(folder))
      .map((path) => path.slice(folder.length + 1))
      .toSorted();
  }

  function readAll(readers: OpenReaders, ...names: string[]): void {
    for (const name of names) expect(readers.at(place(name)).maxSeq()).toBe(0);
  }

  it('are the ones that were read last', () => {
    for (const name of ['a', 'b', 'c']) {
      new OutboundWriter(join(folder, name)).create(readMigrations('migrations/outbound'));
    }
    const readers = new OpenReaders(2);
    readAll(readers, 'a', 'b');
    expect(listOpen()).toEqual(['a', 'b']);
    readAll(readers, 'a', 'c');
    expect(listOpen()).toEqual(['a', 'c']);
    for (const name of ['a', 'c']) readers.at(place(name)).close();
    expect(listOpen()).toEqual([]);
  });

  it('are none where none may stay open', () => {
    new OutboundWriter(join(folder, 'a')).create(readMigrations('migrations/outbound'));
    readAll(new OpenReaders(0), 'a');
    expect(listOpen()).toEqual([]);
  });
});
