import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolderIn } from './temp-folder.js';

describe('temporary files of tests', () => {
  let place: string;

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'berth-place-'));
  });
  afterEach(() => {
    rmSync(place, { recursive: true, force: true });
  });

  /** The folder of a process that has ended. */
  function leave(lastUsed: Date): string {
    const { pid } = spawnSync('true');
    const folder = join(place, `berth-${pid}-abc123`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), '');
    utimesSync(folder, lastUsed, lastUsed);
    return folder;
  }

  const anHourAgo = (): Date => new Date(Date.now() - 3_600_000);

  it('lie in a folder of their own with a short name, where there is room', () => {
    const folder = makeFolderIn(place);
    expect(folder).toMatch(new RegExp(`^${place}/berth-${process.pid}-`));
    expect(readdirSync(folder ?? '')).toEqual([]);
    expect((folder ?? '').length - place.length).toBeLessThan(26);
  });

  it('lie elsewhere where the place is missing or is no folder', () => {
    writeFileSync(join(place, 'file'), '');
    expect(makeFolderIn(join(place, 'missing'))).toBeUndefined();
    expect(makeFolderIn(join(place, 'file'))).toBeUndefined();
  });

  it('lie elsewhere where the place takes no files or has no room', () => {
    expect(makeFolderIn('/proc')).toBeUndefined();
  });

  it('that a killed run left are removed with the next', () => {
    const left = leave(anHourAgo());
    makeFolderIn(place);
    expect(existsSync(left)).toBe(false);
  });

  it('are left alone where their process is alive, was there just now, or another program made them', () => {
    const living = join(place, `berth-${process.ppid}-abc123`);
    mkdirSync(living);
    utimesSync(living, anHourAgo(), anHourAgo());
    const foreign = join(place, 'berth-home-abc123');
    mkdirSync(foreign);
    utimesSync(foreign, anHourAgo(), anHourAgo());
    const recent = leave(new Date());
    makeFolderIn(place);
    expect([living, foreign, recent].map((folder) => existsSync(folder))).not.toContain(false);
  });
});
