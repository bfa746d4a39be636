import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';
import type { Destination } from '../../shared/protocol/session-message.js';

/** Table agent_destinations: which names an agent group may send to. */
export class DestinationStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  list(agentGroupId: string): readonly Destination[] {
    return this.#statements
      .prepare<[string], Destination>(
        `SELECT name, display_name AS displayName, type, channel_type AS channelType,
                platform_id AS platformId, target_agent_group_id AS agentGroupId
         FROM agent_destinations WHERE agent_group_id = ? ORDER BY name`,
      )
      .all(agentGroupId);
  }

  insert(agentGroupId: string, destination: Destination, now: string): void {
    this.#statements
      .prepare(
        `INSERT INTO agent_destinations (agent_group_id, name, display_name, type, channel_type, platform_id,
                                         target_agent_group_id, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        agentGroupId,
        destination.name,
        destination.displayName,
        destination.type,
        destination.channelType,
        destination.platformId,
        destination.agentGroupId,
        now,
      );
  }

  /** Returns whether there was one. */
  delete(agentGroupId: string, name: string): boolean {
    const { changes } = this.#statements
      .prepare('DELETE FROM agent_destinations WHERE agent_group_id = ? AND name = ?')
      .run(agentGroupId, name);
    return changes > 0;
  }
}
