import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { replaceOutbound } from './attempt.js';

/** How many rows are read at a time, at the most; the entry that leads back is the last of them. */
const rowsOfPage = 100;
const rows = 4 * rowsOfPage;
const firstSeq = 20_001;

/**
 * Adds 400 messages, and gives every hundredth entry of the index over seq a number below all of them: who goes on after
 * the last one of a page reads the same page again. `platformId`: the chat that the messages are for.
 */
export function disorderIndex(outDir: string, platformId: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'berth-order-'));
  try {
    const draft = join(folder, 'db');
    copyFileSync(join(outDir, 'outbound.db'), draft);
    addRows(draft, platformId);
    const bytes = readFileSync(draft);
    for (let page = 1; page <= rows / rowsOfPage; page += 1) {
      renumber(bytes, firstSeq + 2 * (page * rowsOfPage - 1), firstSeq - 2);
    }
    replaceOutbound(outDir, bytes);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function addRows(path: string, platformId: string): void {
  withDatabase(path, { mode: 'write', busyTimeoutMs: 1_000 }, (db) => {
    // It stands as it was left: a second time adds nothing.
    if (db.prepare(`SELECT 1 FROM messages_out WHERE id = 'disorder-0'`).get() !== undefined)
      return;
    db.prepare(
      `WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ? - 1)
       INSERT INTO messages_out (id, seq, timestamp, kind, channel_type, platform_id, content)
       SELECT 'disorder-' || n, ? + 2 * n, '2026-01-01T00:00:00.000Z', 'chat', 'terminal', ?,
         '{"operation":"post","text":"disorder-' || n || '","files":[]}' FROM numbers`,
    ).run(rows, firstSeq, platformId);
  });
}

/**
 * Changes the number in an index's entry, wherever it lies: a record of a number of two bytes and a rowid of one or two.
 * A row of the table has another beginning.
 */
function renumber(bytes: Buffer, seq: number, to: number): void {
  for (const rowidType of [1, 2]) {
    // Length of the payload, length of the record's header, types of the two values, the number.
    const entry = Buffer.from([3 + 2 + rowidType, 3, 2, rowidType, seq >> 8, seq & 0xff]);
    const at = bytes.indexOf(entry);
    if (at >= 0) bytes.writeUInt16BE(to, at + 4);
  }
}
