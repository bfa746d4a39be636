import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { DescriptorCount } from '../../shared/base/descriptors.js';
import { silentLogger } from '../../shared/base/logger.js';
import { until } from '../../test/fakes/waiting.js';
import { ShortageWatch } from './shortage-watch.js';

function reserveSize(before: number): number {
  return readdirSync('/proc/self/fd').length - before;
}

describe('a daemon that runs short of file descriptors', () => {
  let watch: ShortageWatch | undefined;
  let counted: DescriptorCount | Error = { limit: 100, free: 60 };
  let said: (string | null | undefined)[] = [];

  afterEach(async () => {
    await watch?.stop();
    watch = undefined;
    counted = { limit: 100, free: 60 };
    said = [];
  });

  function begin(): ShortageWatch {
    watch = new ShortageWatch({
      status: {
        say: ({ shortage }) => {
          said.push(shortage);
        },
      },
      log: silentLogger,
      intervalMs: 5,
      count: () => (counted instanceof Error ? Promise.reject(counted) : Promise.resolve(counted)),
    });
    watch.start();
    return watch;
  }

  it('gives its reserve back, says so once, and takes both back when that is over', async () => {
    const before = readdirSync('/proc/self/fd').length;
    begin();
    await until(() => {
      expect(reserveSize(before)).toBeGreaterThanOrEqual(16);
    });
    expect(said).toEqual([]);
    counted = { limit: 100, free: 1 };
    await until(() => {
      expect(said).toHaveLength(1);
      expect(reserveSize(before)).toBeLessThan(16);
    });
    expect(said[0]).toContain('The daemon is short of file descriptors: 1 of 100 are left.');
    counted = { limit: 100, free: 40 };
    await until(() => {
      expect(said.slice(1)).toEqual([null]);
    });
  });

  it('does so too where it cannot even check', async () => {
    begin();
    counted = Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
    await until(() => {
      expect(said).toEqual([expect.stringContaining('short of file descriptors') as string]);
    });
  });

  it('helps whoever meets the shortage first, once', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const begun = begin();
    await until(() => {
      expect(reserveSize(before)).toBeGreaterThanOrEqual(16);
    });
    counted = { limit: 100, free: 10 };
    expect(begun.note('The machine is short of memory.')).toBe(true);
    expect(begun.note('The machine is short of memory.')).toBe(false);
    expect(said).toEqual([expect.stringContaining('The daemon is short of memory.') as string]);
  });
});
