import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDatabase } from '../../../../shared/base/sqlite/sqlite.js';
import { copyTable, type CopiedTable } from './fresh-file.js';

const rowCount = 400;
const pageSize = 4_096;
const schema = 'CREATE TABLE things (id TEXT PRIMARY KEY, size INTEGER)';

describe('the rows of a table', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-salvage-'));
    path = join(folder, 'test.db');
    change(schema);
    change(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rowCount})
            INSERT INTO things SELECT printf('%d%.200c', i, 'x'), i FROM n`);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function change(sql: string): void {
    withDatabase(path, { mode: 'create', busyTimeoutMs: 0 }, (db) => db.exec(sql));
  }

  function rewrite(edit: (bytes: Buffer) => void): void {
    const bytes = readFileSync(path);
    edit(bytes);
    writeFileSync(path, bytes);
  }

  /** By page number: those of the table, in the order of their rows. */
  function leaves(): readonly number[] {
    return withDatabase(path, { mode: 'read', busyTimeoutMs: 0 }, (db) => {
      const root = Number(
        db.prepare(`SELECT rootpage FROM sqlite_schema WHERE name = 'things'`).pluck().get(),
      );
      const page = readFileSync(path).subarray((root - 1) * pageSize, root * pageSize);
      return Array.from({ length: page.readUInt16BE(3) }, (_, cell) =>
        page.readUInt32BE(page.readUInt16BE(12 + 2 * cell)),
      );
    });
  }

  function salvage(where = '1'): CopiedTable & { sizes: readonly unknown[] } {
    const options = { mode: 'create', busyTimeoutMs: 0 } as const;
    return withDatabase(join(folder, 'fresh.db'), options, (fresh) => {
      fresh.exec(`DROP TABLE IF EXISTS things; ${schema}`);
      return withDatabase(path, { mode: 'read', busyTimeoutMs: 0 }, (damaged) => {
        const result = copyTable(damaged, fresh, 'things', where);
        const sizes = fresh.prepare('SELECT size FROM things ORDER BY rowid').pluck().all();
        return { ...result, sizes };
      });
    });
  }

  it('are all there where nothing is wrong', () => {
    const { sizes, count, isComplete } = salvage();
    expect({ count, isComplete }).toEqual({ count: rowCount, isComplete: true });
    expect(sizes).toEqual(Array.from({ length: rowCount }, (_, index) => index + 1));
  });

  it.each([
    ['in the middle', 0.5],
    ['at the beginning', 0],
    ['at the end', 0.99],
  ])('are saved up to the first page that is damaged %s', (_, share) => {
    const pages = leaves();
    const place = Math.floor(pages.length * share);
    const page = pages[place] ?? 0;
    rewrite((bytes) => bytes.fill(0xff, (page - 1) * pageSize, page * pageSize));
    const { sizes, count, isComplete } = salvage();
    expect(isComplete).toBe(false);
    // A page holds some eighteen of them.
    expect(count).toBeGreaterThanOrEqual(place * 16);
    expect(count).toBeLessThanOrEqual(place * 20);
    expect(sizes).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  });

  it('are saved up to where a damaged tree leads back to earlier ones', () => {
    const [first = 0, second = 0] = leaves();
    rewrite((bytes) => {
      const root = Buffer.alloc(4);
      root.writeUInt32BE(second);
      const at = bytes.indexOf(root, pageSize);
      bytes.writeUInt32BE(first, at);
    });
    const { sizes, isComplete } = salvage();
    expect(isComplete).toBe(false);
    expect(sizes.length).toBeGreaterThan(10);
    expect(sizes.length).toBeLessThan(25);
  });

  it('count as incomplete where the tree hides some without a sign', () => {
    const [page = 0] = leaves();
    // A page says itself how many rows it holds.
    rewrite((bytes) => bytes.writeUInt16BE(1, (page - 1) * pageSize + 3));
    const { count, isComplete } = salvage();
    expect(count).toBeGreaterThan(rowCount - 20);
    expect(count).toBeLessThan(rowCount);
    expect(isComplete).toBe(false);
  });

  it('are none where the table is not there, or its root is damaged', () => {
    rewrite((bytes) => bytes.fill(0xff, pageSize, 2 * pageSize));
    expect(salvage()).toMatchObject({ count: 0, isComplete: false, sizes: [] });
    rmSync(path);
    change('CREATE TABLE others (id TEXT)');
    expect(salvage()).toMatchObject({ count: 0, isComplete: false, sizes: [] });
  });

  it('count as incomplete where some are not fit to be kept', () => {
    const { count, isComplete } = salvage('size > 10');
    expect({ count, isComplete }).toEqual({ count: rowCount - 10, isComplete: false });
  });
});
