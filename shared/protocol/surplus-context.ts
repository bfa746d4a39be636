import type { Db } from '../base/sqlite.js';
import { contextSize } from './session-message.js';

/**
 * Takes back context that no turn will read any more: newer rows have taken its place, and no message waits that came
 * after it. It has not been answered, so it is not completed. Takes `limit` rows at the most; returns how many.
 */
export function cancelSurplusContext(db: Db, limit: number): number {
  const open = `status IN ('pending', 'context')`;
  const lastWaiting = db
    .prepare<[], number>(
      `SELECT seq FROM messages_in WHERE ${open} AND status = 'pending' ORDER BY seq DESC LIMIT 1`,
    )
    .pluck()
    .get();
  const surplus = db
    .prepare<[number, number, number], number>(
      `SELECT seq FROM messages_in WHERE ${open} AND status = 'context' AND seq > ?
       ORDER BY seq DESC LIMIT ? OFFSET ?`,
    )
    .pluck()
    .all(lastWaiting ?? 0, limit, contextSize);
  const cancel = db.prepare(`UPDATE messages_in SET status = 'cancelled' WHERE seq = ?`);
  for (const seq of surplus) cancel.run(seq);
  return surplus.length;
}
