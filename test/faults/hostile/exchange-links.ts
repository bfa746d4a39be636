import { join } from 'node:path';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { runPython, wake, type Attempt } from './attempt.js';

/** Few, so that each is exchanged every few microseconds. */
const replies = 24;
const fileName = 'report.txt';

/**
 * Writes replies with a file each, and exchanges the files with links to `target`, as fast as it can. `platformId`:
 * the chat that the replies are for.
 */
export async function exchangeLinks(
  outDir: string,
  platformId: string,
  target: string,
): Promise<Attempt> {
  const ids = Array.from({ length: replies }, (_, index) => `exchanged-${index}`);
  const files = ids.map((id) => join('outbox', id, fileName));
  const attempt = await runPython('exchange_links.py', outDir, ...files, target);
  writeReplies(join(outDir, 'outbound.db'), ids, platformId);
  return attempt;
}

function writeReplies(path: string, ids: readonly string[], platformId: string): void {
  withDatabase(path, { mode: 'write', busyTimeoutMs: 5_000 }, (db) => {
    const insert = db.prepare(
      `INSERT OR IGNORE INTO messages_out (id, seq, timestamp, kind, channel_type, platform_id, content)
       VALUES (?, (SELECT max(coalesce(max(seq), 1), 10001) + 2 FROM messages_out), '2026-01-01T00:00:00.000Z', 'chat', 'terminal', ?, ?)`,
    );
    db.transaction(() => {
      for (const id of ids) {
        const content = { operation: 'post', text: id, files: [fileName] };
        insert.run(id, platformId, JSON.stringify(content));
      }
    }).immediate();
  });
  wake(path);
}
