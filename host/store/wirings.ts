import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

export const responseScopes = ['all', 'triggered', 'allowlisted'] as const;
export const sessionModes = ['shared', 'per-thread', 'agent-shared'] as const;
export type ResponseScope = (typeof responseScopes)[number];
export type SessionMode = (typeof sessionModes)[number];

/** Which agent group answers which messaging group, and when. */
export interface Wiring {
  readonly id: string;
  readonly messagingGroupId: string;
  readonly agentGroupId: string;
  /** JSON, see trigger-rules.ts; null: always. */
  readonly triggerRules: string | null;
  readonly responseScope: string;
  readonly sessionMode: string;
  /** The higher one is asked first. */
  readonly priority: number;
  readonly createdAt: string;
}

/** That of a chat that wires itself: its agent answers everything, in one session. */
export function openWiring(
  wiring: Pick<Wiring, 'id' | 'messagingGroupId' | 'agentGroupId' | 'createdAt'>,
): Wiring {
  const rules = { triggerRules: null, responseScope: 'all', sessionMode: 'shared', priority: 0 };
  return { ...wiring, ...rules };
}

const columns = `id, messaging_group_id AS messagingGroupId, agent_group_id AS agentGroupId,
  trigger_rules AS triggerRules, response_scope AS responseScope, session_mode AS sessionMode,
  priority, created_at AS createdAt`;

export class WiringStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  list(): readonly Wiring[] {
    return this.#statements
      .prepare<[], Wiring>(
        `SELECT ${columns} FROM messaging_group_agents ORDER BY messaging_group_id, priority DESC, created_at, id`,
      )
      .all();
  }

  listForMessagingGroup(messagingGroupId: string): readonly Wiring[] {
    return this.#statements
      .prepare<[string], Wiring>(
        `SELECT ${columns} FROM messaging_group_agents WHERE messaging_group_id = ?
         ORDER BY priority DESC, created_at, id`,
      )
      .all(messagingGroupId);
  }

  listForAgentGroup(agentGroupId: string): readonly Wiring[] {
    return this.#statements
      .prepare<[string], Wiring>(
        `SELECT ${columns} FROM messaging_group_agents WHERE agent_group_id = ? ORDER BY created_at, id`,
      )
      .all(agentGroupId);
  }

  find(id: string): Wiring | undefined {
    return this.#statements
      .prepare<[string], Wiring>(`SELECT ${columns} FROM messaging_group_agents WHERE id = ?`)
      .get(id);
  }

  insert(wiring: Wiring): void {
    this.#statements
      .prepare(
        `INSERT INTO messaging_group_agents
           (id, messaging_group_id, agent_group_id, trigger_rules, response_scope, session_mode, priority, created_at)
         VALUES (@id, @messagingGroupId, @agentGroupId, @triggerRules, @responseScope, @sessionMode, @priority, @createdAt)`,
      )
      .run(wiring);
  }

  update(wiring: Wiring): void {
    this.#statements
      .prepare(
        `UPDATE messaging_group_agents SET trigger_rules = @triggerRules, response_scope = @responseScope,
           session_mode = @sessionMode, priority = @priority WHERE id = @id`,
      )
      .run(wiring);
  }

  delete(id: string): void {
    this.#statements.prepare('DELETE FROM messaging_group_agents WHERE id = ?').run(id);
  }
}
