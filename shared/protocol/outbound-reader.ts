/**
 * The host's half of outbound.db: reads only. The file is written by a container and is hostile until parsed:
 * a link, a view in place of a table or an oversized row is refused. Never waits for a lock (database_busy).
 */
import { BerthError, hasCode } from '../base/errors.js';
import { withDatabase, type Db } from '../base/sqlite.js';
import { maxContentBytes, type AckStatus } from './session-message.js';

/** A row of messages_out as it stands in the file; `content` is null when it was too long to be read. */
export interface OutboundRow {
  readonly id: string;
  readonly seq: number;
  readonly inReplyTo: string | null;
  readonly timestamp: string;
  readonly deliverAfter: string | null;
  readonly kind: string;
  readonly channelType: string | null;
  readonly platformId: string | null;
  readonly threadId: string | null;
  readonly content: string | null;
}

export class OutboundReader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** 0 while the runner has written nothing. */
  maxSeq(): number {
    return this.#read(0, (db) =>
      Number(db.prepare('SELECT coalesce(max(seq), 0) FROM messages_out').pluck().get()),
    );
  }

  /** Rows after a seq, oldest first. */
  listAfter(seq: number, limit: number): readonly OutboundRow[] {
    return this.#read([], (db) =>
      db
        .prepare<[number, number, number], OutboundRow>(
          `SELECT id, seq, in_reply_to AS inReplyTo, timestamp, deliver_after AS deliverAfter, kind,
                  channel_type AS channelType, platform_id AS platformId, thread_id AS threadId,
                  CASE WHEN length(CAST(content AS BLOB)) <= ? THEN content END AS content
           FROM messages_out WHERE seq > ? ORDER BY seq LIMIT ?`,
        )
        .all(maxContentBytes, seq, limit),
    );
  }

  /** The acks of the named messages, as far as there are any. */
  findAcks(messageIds: readonly string[]): ReadonlyMap<string, AckStatus> {
    return this.#read(new Map(), (db) => {
      const select = db
        .prepare<[string], unknown>('SELECT status FROM processing_ack WHERE message_id = ?')
        .pluck();
      const found = new Map<string, AckStatus>();
      for (const id of messageIds) {
        const status = select.get(id);
        if (isAckStatus(status)) found.set(id, status);
      }
      return found;
    });
  }

  #read<T>(whenMissing: T, use: (db: Db) => T): T {
    try {
      return withDatabase(this.#path, { mode: 'read', busyTimeoutMs: 0 }, (db) => {
        if (!hasOurTables(db)) return whenMissing;
        return use(db);
      });
    } catch (error) {
      if (hasCode(error, 'database_missing')) return whenMissing;
      throw error;
    }
  }
}

function isAckStatus(value: unknown): value is AckStatus {
  return value === 'processing' || value === 'completed' || value === 'failed';
}

/**
 * False while the runner has not made its tables yet. A view or a computed column could keep this thread busy for
 * ever, so anything but plain tables of stored columns is refused.
 */
function hasOurTables(db: Db): boolean {
  const entries = db
    .prepare<[], { type: string; sql: string | null }>(
      `SELECT type, sql FROM sqlite_schema WHERE name IN ('messages_out', 'processing_ack') COLLATE NOCASE`,
    )
    .all();
  for (const { type, sql } of entries) {
    if (type !== 'table' || sql === null || /generated|\bas\s*\(|virtual/i.test(sql)) {
      throw new BerthError('database_corrupt', 'outbound.db does not hold the tables of the protocol.', {
        next: 'Look into the file with sqlite3, then close the session with `berth sessions close`.',
      });
    }
  }
  return entries.length === 2;
}
