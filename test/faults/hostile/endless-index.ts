import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { replaceOutbound } from './attempt.js';
import { pageOfOneChild, pageSize, withPages } from './database-pages.js';

const levels = 17;
const children = 300;
/** An entry of an index: its length, then a record of two values that are both NULL. */
const entry = Buffer.from([3, 3, 0, 0]);

/**
 * Makes the index of messages_out.seq endless: each level of its tree refers 300 times to the same page. A read that
 * counts its entries does not come back. Damages processing_ack besides, so that the file is repaired, which counts
 * them.
 */
export function makeIndexEndless(outDir: string): void {
  const path = join(outDir, 'outbound.db');
  const [index = 0, ...damaged] = withDatabase(
    path,
    { mode: 'read', busyTimeoutMs: 2_000 },
    (db) => {
      const root = db
        .prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?')
        .pluck();
      return [
        'sqlite_autoindex_messages_out_2',
        'processing_ack',
        'sqlite_autoindex_processing_ack_1',
      ].map((name) => root.get(name) ?? 0);
    },
  );
  const database = readFileSync(path);
  const leaf = Buffer.from(database.subarray((index - 1) * pageSize, index * pageSize));
  const first = database.length / pageSize + 1;
  const chain = Array.from({ length: levels - 1 }, (_, level) =>
    pageOfOneChild('index', first + level + 1, children, entry),
  );
  const root = pageOfOneChild('index', first, children, entry);
  const bytes = withPages(database, index, root, [...chain, leaf]);
  for (const page of damaged) bytes.fill(0xff, (page - 1) * pageSize, page * pageSize);
  replaceOutbound(outDir, bytes);
}
