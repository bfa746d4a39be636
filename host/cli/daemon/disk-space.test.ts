import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { describeFullDisk, findDiskSpace } from './disk-space.js';

describe('the space on the disk', () => {
  it('is a problem where next to nothing is left of it', () => {
    expect(describeFullDisk({ freeBytes: 12_345 }, '/home/berth')).toContain('12 KiB are left');
    expect(describeFullDisk({ freeBytes: 1024 ** 3 }, '/home/berth')).toBeUndefined();
  });

  it('is none where nobody can tell', () => {
    expect(findDiskSpace('/nowhere/at/all')).toBeNull();
    expect(describeFullDisk(null, '/nowhere/at/all')).toBeUndefined();
    expect(findDiskSpace(tmpdir())?.freeBytes).toBeGreaterThan(0);
  });
});
