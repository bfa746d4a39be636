import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { replaceOutbound } from './attempt.js';
import { headerOf, pageOfOneChild, pageSize } from './database-pages.js';

const levels = 18;
const children = 300;
/** A rowid of one byte. */
const rowid = Buffer.from([1]);

/**
 * Puts an outbound.db of about 80 KB there whose schema has 300^18 rows: each level of its tree refers 300 times to the
 * same page. SQLite reads the whole schema before its first statement.
 */
export function loopTheSchema(outDir: string): void {
  replaceOutbound(outDir, schemaLoop());
}

function schemaLoop(): Buffer {
  const leaf = schemaOfOneView();
  // The tree's first page is the file's first, which has less room; the last level has the one leaf below it.
  const pages = Array.from({ length: levels }, (_, level) => {
    const isRoot = level === 0;
    return pageOfOneChild('table', level + 2, children, rowid, isRoot ? 100 : 0);
  });
  headerOf(leaf, levels + 1).copy(pages[0] ?? Buffer.alloc(0));
  return Buffer.concat([...pages, leafWithoutHeader(leaf)]);
}

function schemaOfOneView(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'berth-loop-'));
  try {
    const path = join(folder, 'db');
    withDatabase(path, { mode: 'create', busyTimeoutMs: 0 }, (db) => {
      db.exec('CREATE VIEW v AS SELECT 1');
    });
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A first page as any other: its tree's header stands at its beginning. */
function leafWithoutHeader(first: Buffer): Buffer {
  const page = Buffer.from(first.subarray(0, pageSize));
  const cells = page.readUInt16BE(103);
  page.copyWithin(0, 100, 108 + 2 * cells);
  return page;
}
