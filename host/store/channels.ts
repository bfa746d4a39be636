import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

/** A channel that is to run: `channel_type` of chats and destinations is its id. */
export interface ChannelRow {
  readonly id: string;
  readonly type: string;
  /** JSON, as the type's own schema has it. */
  readonly config: string;
  readonly enabled: boolean;
  readonly createdAt: string;
}

type Stored = Omit<ChannelRow, 'enabled'> & { readonly enabled: 0 | 1 };

const columns = 'id, type, config, enabled, created_at AS createdAt';

export class ChannelStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  /** In the order in which they were added. */
  list(): readonly ChannelRow[] {
    return this.#statements
      .prepare<[], Stored>(`SELECT ${columns} FROM channels ORDER BY rowid`)
      .all()
      .map(fromStored);
  }

  find(id: string): ChannelRow | undefined {
    const found = this.#statements
      .prepare<[string], Stored>(`SELECT ${columns} FROM channels WHERE id = ?`)
      .get(id);
    return found === undefined ? undefined : fromStored(found);
  }

  insert({ id, type, config, enabled, createdAt }: ChannelRow): void {
    this.#statements
      .prepare(
        'INSERT INTO channels (id, type, config, enabled, created_at) VALUES (?, ?, ?, ?, ?)',
      )
      .run(id, type, config, enabled ? 1 : 0, createdAt);
  }

  update({ id, config, enabled }: Pick<ChannelRow, 'id' | 'config' | 'enabled'>): void {
    this.#statements
      .prepare('UPDATE channels SET config = ?, enabled = ? WHERE id = ?')
      .run(config, enabled ? 1 : 0, id);
  }

  delete(id: string): void {
    this.#statements.prepare('DELETE FROM channels WHERE id = ?').run(id);
  }
}

function fromStored(row: Stored): ChannelRow {
  return { ...row, enabled: row.enabled === 1 };
}
