import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  copyAndTruncateIfLarge,
  findLastLogTime,
  RotatingLog,
  rotateIfLarge,
} from './rotating-log.js';

describe('a rotating log', () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-log-'));
    path = join(folder, 'x.log');
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('keeps a bounded file and a bounded number of old ones', async () => {
    const log = new RotatingLog({ path, maxBytes: 30, keep: 2 });
    for (let line = 1; line <= 12; line += 1) {
      log.write(`line number ${String(line).padStart(2, '0')}\n`);
      await log.close();
    }

    expect((await readdir(folder)).sort()).toEqual(['x.log', 'x.log.1', 'x.log.2']);
    expect(await readFile(`${path}.2`, 'utf8')).toBe('line number 07\nline number 08\n');
    expect(await readFile(path, 'utf8')).toBe('line number 11\nline number 12\n');
    expect(log.droppedLines).toBe(0);
  });

  it('goes on with a file that is there', async () => {
    await writeFile(path, 'old\n');
    const log = new RotatingLog({ path, maxBytes: 100, keep: 1 });
    log.write('new\n');
    await log.close();

    expect(await readFile(path, 'utf8')).toBe('old\nnew\n');
  });

  it('drops and counts what it cannot write, and says so when it can again', async () => {
    path = join(folder, 'not-yet', 'x.log');
    const log = new RotatingLog({ path, maxBytes: 1_000, keep: 1 });
    log.write('lost 1\nlost 2\n');
    await log.close();
    expect(log.droppedLines).toBe(2);

    await mkdir(join(folder, 'not-yet'));
    log.write('kept\n');
    await log.close();

    const [report, kept] = (await readFile(path, 'utf8')).split('\n');
    expect(JSON.parse(report ?? '')).toMatchObject({ lines: 2, msg: 'log lines dropped' });
    expect(kept).toBe('kept');
  });

  it('drops lines rather than hold more and more of them', async () => {
    const log = new RotatingLog({ path, maxBytes: 100_000_000, keep: 1 });
    const line = `${'x'.repeat(1_048_575)}\n`;
    for (let count = 0; count < 6; count += 1) log.write(line);

    expect(log.droppedLines).toBeGreaterThan(0);
    await log.close();
    expect((await stat(path)).size).toBeLessThan(6 * line.length);
  });

  it('remembers the time of its last piece to the microsecond', async () => {
    const log = new RotatingLog({ path, maxBytes: 1_000_000, keep: 1 });
    for (let offset = 0; offset < 50; offset += 1) {
      const atMicros = 1_790_000_000_123_456 + offset * 7_654_321;
      log.write('piece\n', atMicros);
      await log.close();
      expect(await findLastLogTime(path)).toBe(atMicros);
    }
    expect(await findLastLogTime(join(folder, 'none.log'))).toBe(0);
  });

  it('can be rotated before someone else opens it', async () => {
    await writeFile(path, 'x'.repeat(20));

    await rotateIfLarge(path, { maxBytes: 21, keep: 1 });
    expect(await readdir(folder)).toEqual(['x.log']);
    await rotateIfLarge(path, { maxBytes: 20, keep: 1 });
    expect(await readdir(folder)).toEqual(['x.log.1']);
  });

  it('can be emptied under a program that holds it open', async () => {
    await writeFile(path, 'x'.repeat(20));
    await writeFile(`${path}.1`, 'older');

    await copyAndTruncateIfLarge(path, { maxBytes: 20, keep: 2 });

    expect((await stat(path)).size).toBe(0);
    expect(await readFile(`${path}.1`, 'utf8')).toBe('x'.repeat(20));
    expect(await readFile(`${path}.2`, 'utf8')).toBe('older');
  });
});
