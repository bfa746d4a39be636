import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isLocalDisk } from './local-disk.js';

describe('a local disk', () => {
  it.runIf(process.platform === 'linux')('is where this machine keeps its files', () => {
    expect(isLocalDisk(tmpdir())).toBe(true);
  });

  it('is not what the kernel makes up, nor what is not there', () => {
    expect(isLocalDisk('/proc')).toBe(false);
    expect(isLocalDisk('/nowhere/at/all')).toBe(false);
  });
});
