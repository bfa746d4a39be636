import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, withDatabase } from '../../../../shared/base/sqlite/sqlite.js';
import { salvageTable, type Salvage } from './table-salvage.js';

const rowCount = 400;
const pageSize = 4_096;

describe('the rows of a table', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-salvage-'));
    path = join(folder, 'test.db');
    withDatabase(path, { mode: 'create', busyTimeoutMs: 0 }, (db) => {
      db.exec('CREATE TABLE things (id TEXT, size INTEGER)');
      db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rowCount})
               INSERT INTO things SELECT printf('%d%.200c', i, 'x'), i FROM n`);
    });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function damage(...pages: readonly number[]): void {
    const bytes = readFileSync(path);
    for (const page of pages) bytes.fill(0xff, (page - 1) * pageSize, page * pageSize);
    writeFileSync(path, bytes);
  }

  async function salvage(where = '1'): Promise<Salvage & { sizes: readonly number[] }> {
    const sizes: number[] = [];
    const request = { table: 'things', columns: 'size', where };
    const damaged = openDatabase(path, { mode: 'read', busyTimeoutMs: 0 });
    try {
      const result = await salvageTable(damaged, request, (row) => {
        sizes.push(Number(row['size']));
      });
      return { ...result, sizes };
    } finally {
      damaged.close();
    }
  }

  it('are all there where nothing is wrong', async () => {
    const { sizes, count, isComplete } = await salvage();
    expect({ count, isComplete }).toEqual({ count: rowCount, isComplete: true });
    expect(sizes).toEqual(Array.from({ length: rowCount }, (_, index) => index + 1));
  });

  it.each([
    ['in the middle', [10]],
    ['at the beginning', [3]],
    ['at the end', [-1]],
    ['in several places', [5, 6, 12, 20]],
  ])('are saved but for the pages that are damaged %s', async (_, pages) => {
    const last = readFileSync(path).length / pageSize;
    damage(...pages.map((page) => (page < 0 ? last : page)));
    const { sizes, isComplete } = await salvage();
    expect(isComplete).toBe(false);
    expect(new Set(sizes).size).toBe(sizes.length);
    // A page holds some eighteen of them.
    expect(sizes.length).toBeGreaterThanOrEqual(rowCount - 20 * pages.length);
    expect(sizes.length).toBeLessThan(rowCount);
  });

  it('are looked for beside what can be read, where the oldest have long been taken away', async () => {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) =>
      db.exec('UPDATE things SET rowid = rowid + 1000000; VACUUM'),
    );
    const whole = (await salvage()).count;
    damage(3);
    expect(whole).toBe(rowCount);
    expect((await salvage()).count).toBeGreaterThan(rowCount - 40);
  });

  it('are none where the table is not there, or its root is damaged', async () => {
    damage(2);
    expect(await salvage()).toEqual({ count: 0, isComplete: false, sizes: [] });
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) =>
      db.exec('ALTER TABLE things RENAME TO others'),
    );
    expect(await salvage()).toEqual({ count: 0, isComplete: false, sizes: [] });
  });

  it('count as incomplete where some are not fit to be kept', async () => {
    const { count, isComplete } = await salvage('size > 10');
    expect({ count, isComplete }).toEqual({ count: rowCount - 10, isComplete: false });
  });
});
