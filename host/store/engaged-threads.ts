import type { Db } from '../../shared/base/sqlite.js';

/** A thread of a chat and the agent group that a mention brought into it. */
export interface EngagedThread {
  readonly messagingGroupId: string;
  readonly agentGroupId: string;
  readonly threadId: string | null;
}

export class EngagedThreadStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  has(thread: EngagedThread): boolean {
    const row = this.#db
      .prepare(
        'SELECT 1 FROM engaged_threads WHERE messaging_group_id = ? AND agent_group_id = ? AND thread_id = ?',
      )
      .get(thread.messagingGroupId, thread.agentGroupId, thread.threadId ?? '');
    return row !== undefined;
  }

  add(thread: EngagedThread, now: string): void {
    this.#db
      .prepare('INSERT INTO engaged_threads VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING')
      .run(thread.messagingGroupId, thread.agentGroupId, thread.threadId ?? '', now);
  }
}
