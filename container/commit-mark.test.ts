import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../shared/base/logger.js';
import { CommitMark } from './commit-mark.js';

describe('the mark of a commit', () => {
  let folder: string;
  let path: string;
  let mark: CommitMark;
  const logged: string[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-mark-'));
    path = join(folder, 'committed');
    logged.length = 0;
    const log = createLogger('warn', { write: (line) => logged.push(line) });
    mark = new CommitMark({ path, log });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is made by the first touch, readable by everybody', () => {
    mark.touch();
    const stat = lstatSync(path);
    expect(stat.isFile()).toBe(true);
    expect(stat.mode & 0o444).toBe(0o444);
    expect(logged).toEqual([]);
  });

  it('is never older than what was written before', () => {
    mark.touch();
    const file = join(folder, 'outbound.db');
    for (let round = 0; round < 200; round += 1) {
      writeFileSync(file, String(round));
      mark.touch();
      expect(lstatSync(path).mtimeMs).toBeGreaterThanOrEqual(lstatSync(file).mtimeMs);
    }
  });

  it('stays the same file, and moves', () => {
    mark.touch();
    const { ino } = lstatSync(path);
    utimesSync(path, 1, 1);
    mark.touch();
    expect(lstatSync(path)).toMatchObject({ ino });
    expect(lstatSync(path).mtimeMs).toBeGreaterThan(1_000);
  });

  it('takes the place of a link that leads nowhere', () => {
    symlinkSync('nothing', path);
    mark.touch();
    expect(lstatSync(path).isFile()).toBe(true);
  });

  it('opens nothing that was put in its place', () => {
    execFileSync('mkfifo', [path]);
    mark.touch();
    rmSync(path);
    mkdirSync(path);
    mark.touch();
    expect(lstatSync(path).isDirectory()).toBe(true);
  });

  it('is no reason to fail, and says once that it cannot be made', () => {
    rmSync(folder, { recursive: true });
    mark.touch();
    mark.touch();
    expect(logged).toHaveLength(1);
    mkdirSync(folder);
    mark.touch();
    expect(lstatSync(path).isFile()).toBe(true);
  });
});
