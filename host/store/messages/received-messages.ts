import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';

/** The decision of one wiring about a message. */
export interface Verdict {
  readonly agentGroupId: string;
  readonly verdict: 'engaged' | 'context' | 'refused';
  readonly reason?: string;
  readonly sessionId?: string;
}

export interface ReceivedMessage {
  readonly messagingGroupId: string;
  readonly platformMessageId: string;
  /** Our id of the message in every session that got it. */
  readonly messageId: string;
  readonly verdicts: readonly Verdict[];
  readonly receivedAt: string;
}

interface Row {
  messaging_group_id: string;
  platform_message_id: string;
  message_id: string;
  verdicts: string;
  received_at: string;
}

/** A platform message is taken once; this is where that is known. */
export class ReceivedMessageStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  find(messagingGroupId: string, platformMessageId: string): ReceivedMessage | undefined {
    const row = this.#statements
      .prepare<[string, string], Row>(
        'SELECT * FROM received_messages WHERE messaging_group_id = ? AND platform_message_id = ?',
      )
      .get(messagingGroupId, platformMessageId);
    return row === undefined ? undefined : fromRow(row);
  }

  /** By message id: the sessions that were to answer it. Ids that nothing is known of are left out. */
  listSessions(messageIds: readonly string[]): ReadonlyMap<string, readonly string[]> {
    const rows = this.#statements
      .prepare<[string], Row>(
        'SELECT * FROM received_messages WHERE message_id IN (SELECT value FROM json_each(?))',
      )
      .all(JSON.stringify(messageIds));
    const sessions = new Map<string, string[]>();
    for (const { messageId, verdicts } of rows.map(fromRow)) {
      const those = sessions.get(messageId) ?? [];
      for (const { verdict, sessionId } of verdicts) {
        if (verdict === 'engaged' && sessionId !== undefined) those.push(sessionId);
      }
      sessions.set(messageId, those);
    }
    return sessions;
  }

  /** The platform's id of a message of that chat that we know under ours. */
  findPlatformId(messagingGroupId: string, messageId: string): string | undefined {
    return this.#statements
      .pluck<[string, string], string>(
        'SELECT platform_message_id FROM received_messages WHERE message_id = ? AND messaging_group_id = ? LIMIT 1',
      )
      .get(messageId, messagingGroupId);
  }

  /** By our id or the beginning of it, `limit` at the most. */
  listByIdPrefix(prefix: string, limit: number): readonly ReceivedMessage[] {
    return this.#statements
      .prepare<[string, string, number], Row>(
        `SELECT * FROM received_messages WHERE message_id >= ? AND message_id < ? || char(1114111)
         ORDER BY message_id LIMIT ?`,
      )
      .all(prefix, prefix, limit)
      .map(fromRow);
  }

  /** By the platform's id, in every chat. */
  listByPlatformId(platformMessageId: string): readonly ReceivedMessage[] {
    return this.#statements
      .prepare<[string], Row>(
        `SELECT * FROM received_messages
         WHERE messaging_group_id IN (SELECT id FROM messaging_groups) AND platform_message_id = ?`,
      )
      .all(platformMessageId)
      .map(fromRow);
  }

  insert(message: ReceivedMessage): void {
    this.#statements
      .prepare(
        `INSERT INTO received_messages (messaging_group_id, platform_message_id, message_id, verdicts, received_at)
         VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      )
      .run(
        message.messagingGroupId,
        message.platformMessageId,
        message.messageId,
        JSON.stringify(message.verdicts),
        message.receivedAt,
      );
  }

  /** Forgets messages received before the given time, `limit` at the most: sent again, they would be taken again. Returns how many. */
  prune(before: string, limit: number): number {
    return this.#statements
      .prepare(
        `DELETE FROM received_messages WHERE rowid IN
           (SELECT rowid FROM received_messages WHERE received_at < ? ORDER BY received_at LIMIT ?)`,
      )
      .run(before, limit).changes;
  }

  /** Of one chat, in the order they came in, after the given place: at first a time and rowid -1. */
  listAfter(
    messagingGroupId: string,
    after: { readonly receivedAt: string; readonly rowid: number },
    limit: number,
  ): readonly (ReceivedMessage & { readonly rowid: number })[] {
    return this.#statements
      .prepare<[string, string, number, number], Row & { rowid: number }>(
        `SELECT rowid, * FROM received_messages
         WHERE messaging_group_id = ? AND (received_at, rowid) > (?, ?)
         ORDER BY received_at, rowid LIMIT ?`,
      )
      .all(messagingGroupId, after.receivedAt, after.rowid, limit)
      .map((row) => ({ ...fromRow(row), rowid: row.rowid }));
  }

  /** The newest first. */
  listNewest(messagingGroupId: string, limit: number): readonly ReceivedMessage[] {
    return this.#statements
      .prepare<[string, number], Row>(
        `SELECT * FROM received_messages WHERE messaging_group_id = ? ORDER BY received_at DESC LIMIT ?`,
      )
      .all(messagingGroupId, limit)
      .map(fromRow);
  }
}

function fromRow(row: Row): ReceivedMessage {
  return {
    messagingGroupId: row.messaging_group_id,
    platformMessageId: row.platform_message_id,
    messageId: row.message_id,
    // Written by insert above only.
    verdicts: JSON.parse(row.verdicts) as Verdict[],
    receivedAt: row.received_at,
  };
}
