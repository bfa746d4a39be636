import { idFrom } from '../../shared/base/ids.js';
import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

export interface MessagingGroup {
  readonly id: string;
  readonly channelType: string;
  readonly platformId: string;
  readonly name: string | null;
  readonly isGroup: boolean;
  readonly adminUserId: string | null;
  /** IANA name that its schedules are told in; null: the install's. */
  readonly timeZone: string | null;
  readonly createdAt: string;
}

interface Row {
  id: string;
  channel_type: string;
  platform_id: string;
  name: string | null;
  is_group: number;
  admin_user_id: string | null;
  time_zone: string | null;
  created_at: string;
}

/**
 * A chat that is recorded again has the id of before: ids of messages are made from it, so that a message which the platform
 * repeats is known even where central.db has lost the chat.
 */
export function messagingGroupIdFor(channelType: string, platformId: string): string {
  return idFrom('mg', channelType, platformId);
}

export class MessagingGroupStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  list(): readonly MessagingGroup[] {
    return this.#statements
      .prepare<[], Row>('SELECT * FROM messaging_groups ORDER BY created_at, id')
      .all()
      .map(fromRow);
  }

  find(id: string): MessagingGroup | undefined {
    const row = this.#statements
      .prepare<[string], Row>('SELECT * FROM messaging_groups WHERE id = ?')
      .get(id);
    return row === undefined ? undefined : fromRow(row);
  }

  findByPlatform(channelType: string, platformId: string): MessagingGroup | undefined {
    const row = this.#statements
      .prepare<[string, string], Row>(
        'SELECT * FROM messaging_groups WHERE channel_type = ? AND platform_id = ?',
      )
      .get(channelType, platformId);
    return row === undefined ? undefined : fromRow(row);
  }

  insert(group: MessagingGroup): void {
    this.#statements
      .prepare(
        `INSERT INTO messaging_groups (id, channel_type, platform_id, name, is_group, admin_user_id,
                                       time_zone, created_at)
         VALUES (@id, @channelType, @platformId, @name, @isGroup, @adminUserId, @timeZone, @createdAt)`,
      )
      .run({ ...group, isGroup: group.isGroup ? 1 : 0 });
  }

  update(group: MessagingGroup): void {
    this.#statements
      .prepare(
        `UPDATE messaging_groups SET name = @name, is_group = @isGroup, admin_user_id = @adminUserId,
           time_zone = @timeZone
         WHERE id = @id`,
      )
      .run({ ...group, isGroup: group.isGroup ? 1 : 0 });
  }

  delete(id: string): void {
    this.#statements.prepare('DELETE FROM messaging_groups WHERE id = ?').run(id);
  }

  listAllowedSenders(id: string): readonly string[] {
    return this.#statements
      .pluck<[string], string>(
        'SELECT sender_id FROM allowed_senders WHERE messaging_group_id = ? ORDER BY sender_id',
      )
      .all(id);
  }

  allowSender(id: string, senderId: string, now: string): void {
    this.#statements
      .prepare('INSERT INTO allowed_senders VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
      .run(id, senderId, now);
  }

  disallowSender(id: string, senderId: string): void {
    this.#statements
      .prepare('DELETE FROM allowed_senders WHERE messaging_group_id = ? AND sender_id = ?')
      .run(id, senderId);
  }
}

function fromRow(row: Row): MessagingGroup {
  return {
    id: row.id,
    channelType: row.channel_type,
    platformId: row.platform_id,
    name: row.name,
    isGroup: row.is_group !== 0,
    adminUserId: row.admin_user_id,
    timeZone: row.time_zone,
    createdAt: row.created_at,
  };
}
