import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../shared/base/logger.js';
import { whileExchanging } from '../../../test/fakes/exchanger.js';
import { Trash } from './trash.js';

describe('the trash', () => {
  let root: string;
  let trash: Trash;
  const lines: string[] = [];
  const never = new AbortController().signal;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-trash-'));
    lines.length = 0;
    const log = createLogger('info', { write: (line) => lines.push(line) });
    trash = new Trash({ dir: join(root, 'trash'), log });
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  function left(): readonly string[] {
    return readdirSync(join(root, 'trash'));
  }

  it('takes files and folders, and deletes them', async () => {
    mkdirSync(join(root, 'a', 'b'), { recursive: true });
    writeFileSync(join(root, 'a', 'b', 'c'), 'x');
    writeFileSync(join(root, 'f'), 'x');
    expect(trash.take(join(root, 'a'))).toBe(true);
    expect(trash.take(join(root, 'f'))).toBe(true);
    expect(trash.take(join(root, 'gone'))).toBe(false);
    expect(readdirSync(root)).toEqual(['trash']);
    await trash.empty(never);
    expect(left()).toEqual([]);
  });

  it('has nothing to do where there is none', async () => {
    await trash.empty(never);
    expect(existsSync(join(root, 'trash'))).toBe(false);
    expect(lines).toEqual([]);
  });

  it('follows no link', async () => {
    mkdirSync(join(root, 'precious'));
    writeFileSync(join(root, 'precious', 'file'), 'x');
    mkdirSync(join(root, 'a'));
    symlinkSync(join(root, 'precious'), join(root, 'a', 'link'));
    symlinkSync(join(root, 'precious'), join(root, 'link'));
    trash.take(join(root, 'a'));
    trash.take(join(root, 'link'));
    await trash.empty(never);
    expect(left()).toEqual([]);
    expect(readdirSync(join(root, 'precious'))).toEqual(['file']);
  });

  it('changes nothing behind a link that takes a folder’s place', async () => {
    const precious = join(root, 'precious');
    mkdirSync(precious);
    chmodSync(precious, 0o755);
    writeFileSync(join(precious, 'file'), 'x');
    const parent = join(root, 'trash', 'parent');
    const entries = ['one', 'other'].map((name) => join(parent, name)) as [string, string];
    const refill = (): void => {
      mkdirSync(parent, { recursive: true });
      // Files that the last round has left are taken by the next one.
      if (lstatSync(entries[0], { throwIfNoEntry: false }) === undefined) mkdirSync(entries[0]);
      if (lstatSync(entries[1], { throwIfNoEntry: false }) === undefined) {
        symlinkSync(precious, entries[1]);
      }
    };
    refill();
    await whileExchanging(...entries, async () => {
      for (let i = 0; i < 150; i += 1) {
        await trash.empty(never);
        refill();
      }
    });
    expect(statSync(precious).mode & 0o777).toBe(0o755);
    expect(readdirSync(precious)).toEqual(['file']);
  });

  it('deletes what is nested deeper than a path may be long', async () => {
    // From the inside out: no path on the way is long.
    const name = 'n'.repeat(200);
    mkdirSync(join(root, 'tree'));
    for (let depth = 0; depth < 60; depth += 1) {
      mkdirSync(join(root, 'outer'));
      renameSync(join(root, 'tree'), join(root, 'outer', name));
      renameSync(join(root, 'outer'), join(root, 'tree'));
    }
    trash.take(join(root, 'tree'));
    await trash.empty(never);
    expect(left()).toEqual([]);
  });

  it('deletes folders that are closed, and names that are no text', async () => {
    mkdirSync(join(root, 'a', 'closed'), { recursive: true });
    writeFileSync(join(root, 'a', 'closed', 'x'), 'x');
    chmodSync(join(root, 'a', 'closed'), 0);
    const odd = Buffer.concat([Buffer.from(join(root, 'a')), Buffer.from('/\xff\xfe', 'latin1')]);
    writeFileSync(odd, 'x');
    trash.take(join(root, 'a'));
    await trash.empty(never);
    expect(left()).toEqual([]);
  });

  it('goes on where it was cut short', async () => {
    mkdirSync(join(root, 'a'));
    for (let i = 0; i < 300; i += 1) writeFileSync(join(root, 'a', `${i}`), '');
    trash.take(join(root, 'a'));
    const stopping = new AbortController();
    const emptied = trash.empty(stopping.signal);
    setImmediate(() => {
      stopping.abort();
    });
    await emptied;
    expect(left()).toHaveLength(1);
    await trash.empty(never);
    expect(left()).toEqual([]);
  });

  it('does not hold up the thread for a folder of many entries', async () => {
    mkdirSync(join(root, 'a'));
    for (let i = 0; i < 5_000; i += 1) writeFileSync(join(root, 'a', `${i}`), '');
    trash.take(join(root, 'a'));
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    await trash.empty(never);
    delays.disable();
    expect(left()).toEqual([]);
    // Far above what it takes, far below what it took to delete them at once.
    expect(delays.percentile(99) / 1e6).toBeLessThan(50);
  });
});
