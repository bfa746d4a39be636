import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';

/** A thread of a chat and the agent group that a mention brought into it. */
export interface EngagedThread {
  readonly messagingGroupId: string;
  readonly agentGroupId: string;
  readonly threadId: string | null;
}

export class EngagedThreadStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  has(thread: EngagedThread): boolean {
    const row = this.#statements
      .prepare(
        'SELECT 1 FROM engaged_threads WHERE messaging_group_id = ? AND agent_group_id = ? AND thread_id = ?',
      )
      .get(thread.messagingGroupId, thread.agentGroupId, thread.threadId ?? '');
    return row !== undefined;
  }

  /** Also told when a thread is used again: from then on it counts as young. Noted once a day. */
  add(thread: EngagedThread, now: string): void {
    this.#statements
      .prepare(
        `INSERT INTO engaged_threads (messaging_group_id, agent_group_id, thread_id, engaged_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (messaging_group_id, agent_group_id, thread_id) DO UPDATE SET engaged_at = excluded.engaged_at
         WHERE date(engaged_at) < date(excluded.engaged_at)`,
      )
      .run(thread.messagingGroupId, thread.agentGroupId, thread.threadId ?? '', now);
  }

  /** Forgets threads that were last used before the given time, `limit` at the most. Returns how many. */
  prune(before: string, limit: number): number {
    return this.#statements
      .prepare(
        `DELETE FROM engaged_threads WHERE rowid IN
           (SELECT rowid FROM engaged_threads WHERE engaged_at < ? ORDER BY engaged_at LIMIT ?)`,
      )
      .run(before, limit).changes;
  }
}
