import type { StatementCache } from '../../base/sqlite/statement-cache.js';
import { contextSize } from '../limits.js';

/**
 * Takes back context that no turn will read any more: newer rows have taken its place, and no message waits that came
 * after it. Such a message has not been answered, so it is not completed. Takes `limit` rows at the most; returns how
 * many.
 */
export function cancelSurplusContext(statements: StatementCache, limit: number): number {
  const open = `status IN ('pending', 'context')`;
  const lastWaiting = statements
    .pluck<[], number>(
      `SELECT seq FROM messages_in WHERE ${open} AND status = 'pending' ORDER BY seq DESC LIMIT 1`,
    )
    .get();
  const surplus = statements
    .pluck<[number, number, number], number>(
      `SELECT seq FROM messages_in WHERE ${open} AND status = 'context' AND seq > ?
       ORDER BY seq DESC LIMIT ? OFFSET ?`,
    )
    .all(lastWaiting ?? 0, limit, contextSize);
  const cancel = statements.prepare(`UPDATE messages_in SET status = 'cancelled' WHERE seq = ?`);
  for (const seq of surplus) cancel.run(seq);
  return surplus.length;
}
