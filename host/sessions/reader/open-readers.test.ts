import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outboundDbName } from '../../../shared/protocol/workspace.js';
import { FakeClock } from '../../../test/fakes/fake-clock.js';
import { FakeRunner } from '../../../test/fakes/fake-runner.js';
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
    return { path: join(folder, name, outboundDbName), viewDir: null, busyTimeoutMs: 0 };
  }

  function make(name: string): void {
    mkdirSync(join(folder, name));
    new FakeRunner(join(folder, name), new FakeClock()).leave();
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
      .map((path) => basename(dirname(path)))
      .toSorted();
  }

  function readAll(readers: OpenReaders, ...names: string[]): void {
    for (const name of names) expect(readers.at(place(name)).maxSeq()).toBe(0);
  }

  it('are the ones that were read last', () => {
    for (const name of ['a', 'b', 'c']) make(name);
    const readers = new OpenReaders(2);
    readAll(readers, 'a', 'b');
    expect(listOpen()).toEqual(['a', 'b']);
    readAll(readers, 'a', 'c');
    expect(listOpen()).toEqual(['a', 'c']);
    for (const name of ['a', 'c']) readers.at(place(name)).close();
    expect(listOpen()).toEqual([]);
  });

  it('are none where none may stay open', () => {
    make('a');
    readAll(new OpenReaders(0), 'a');
    expect(listOpen()).toEqual([]);
  });
});
