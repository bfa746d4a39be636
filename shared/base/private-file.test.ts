import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeToOthers, makePrivately } from './private-file.js';

describe('private files', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-private-'));
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  function modeOf(path: string): number {
    return statSync(path).mode & 0o777;
  }

  it('are made for their owner alone', () => {
    const path = join(root, 'secret');
    makePrivately(path);
    expect(modeOf(path)).toBe(0o600);
  });

  it('are left as they are where they exist', () => {
    const path = join(root, 'secret');
    writeFileSync(path, 'kept', { mode: 0o640 });
    makePrivately(path);
    expect(readFileSync(path, 'utf8')).toBe('kept');
    expect(modeOf(path)).toBe(0o640);
  });

  it.each([
    [0o777, 0o700],
    [0o755, 0o700],
    [0o644, 0o600],
    [0o500, 0o500],
  ])('of mode %o are closed to others with mode %o', (before, after) => {
    const path = join(root, 'open');
    writeFileSync(path, '');
    chmodSync(path, before);
    closeToOthers(path);
    expect(modeOf(path)).toBe(after);
  });

  it('need not exist to be closed', () => {
    expect(() => {
      closeToOthers(join(root, 'nothing'));
    }).not.toThrow();
  });
});
