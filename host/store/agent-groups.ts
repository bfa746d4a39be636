import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

export interface AgentGroup {
  readonly id: string;
  readonly name: string;
  /** Below groups/. */
  readonly folder: string;
  readonly isAdmin: boolean;
  /** Null: the install's default. */
  readonly provider: string | null;
  /** JSON, see container-config.ts; null: the defaults. */
  readonly containerConfig: string | null;
  readonly createdAt: string;
}

/** Equal for agent groups whose containers would be made alike. */
export function settingsKey({ provider, containerConfig }: AgentGroup): string {
  return JSON.stringify([provider, containerConfig]);
}

interface Row {
  id: string;
  name: string;
  folder: string;
  is_admin: number;
  agent_provider: string | null;
  container_config: string | null;
  created_at: string;
}

export class AgentGroupStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  list(): readonly AgentGroup[] {
    return this.#statements
      .prepare<[], Row>('SELECT * FROM agent_groups ORDER BY created_at, id')
      .all()
      .map(fromRow);
  }

  find(id: string): AgentGroup | undefined {
    const row = this.#statements
      .prepare<[string], Row>('SELECT * FROM agent_groups WHERE id = ?')
      .get(id);
    return row === undefined ? undefined : fromRow(row);
  }

  findByFolder(folder: string): AgentGroup | undefined {
    const row = this.#statements
      .prepare<[string], Row>('SELECT * FROM agent_groups WHERE folder = ?')
      .get(folder);
    return row === undefined ? undefined : fromRow(row);
  }

  insert(group: AgentGroup): void {
    this.#statements
      .prepare(
        `INSERT INTO agent_groups (id, name, folder, is_admin, agent_provider, container_config, created_at)
         VALUES (@id, @name, @folder, @isAdmin, @provider, @containerConfig, @createdAt)`,
      )
      .run({ ...group, isAdmin: group.isAdmin ? 1 : 0 });
  }

  update(group: AgentGroup): void {
    this.#statements
      .prepare(
        `UPDATE agent_groups SET name = @name, is_admin = @isAdmin, agent_provider = @provider,
           container_config = @containerConfig WHERE id = @id`,
      )
      .run({ ...group, isAdmin: group.isAdmin ? 1 : 0 });
  }

  delete(id: string): void {
    this.#statements.prepare('DELETE FROM agent_groups WHERE id = ?').run(id);
  }
}

function fromRow(row: Row): AgentGroup {
  return {
    id: row.id,
    name: row.name,
    folder: row.folder,
    isAdmin: row.is_admin !== 0,
    provider: row.agent_provider,
    containerConfig: row.container_config,
    createdAt: row.created_at,
  };
}
