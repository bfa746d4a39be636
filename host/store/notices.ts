import type { Db } from '../../shared/base/sqlite.js';
import type { Address } from '../../shared/protocol/session-message.js';

/** Something the host itself has to say in a chat. */
export interface Notice {
  readonly id: string;
  readonly address: Address;
  /** The inbound message it is about, if any. */
  readonly inReplyTo: string | null;
  readonly text: string;
  readonly tries: number;
}

interface Row {
  id: string;
  channelType: string;
  platformId: string;
  threadId: string | null;
  inReplyTo: string | null;
  text: string;
  tries: number;
}

export class NoticeStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  /** A notice of the same id is said once. */
  insert(notice: Omit<Notice, 'tries'>, now: string): void {
    this.#db
      .prepare(
        `INSERT INTO notices (id, channel_type, platform_id, thread_id, in_reply_to, text, due_at, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
      )
      .run(
        notice.id,
        notice.address.channelType,
        notice.address.platformId,
        notice.address.threadId,
        notice.inReplyTo,
        notice.text,
        now,
        now,
      );
  }

  /** Channels that have something to say now. */
  listDueChannels(now: string): readonly string[] {
    return this.#db
      .prepare<[string], string>(
        `SELECT DISTINCT channel_type FROM notices WHERE status = 'pending' AND due_at <= ?`,
      )
      .pluck()
      .all(now);
  }

  /** The oldest of a channel's. */
  listDue(now: string, channelType: string): readonly Notice[] {
    return this.#db
      .prepare<[string, string], Row>(
        `SELECT id, channel_type AS channelType, platform_id AS platformId, thread_id AS threadId,
                in_reply_to AS inReplyTo, text, tries
         FROM notices WHERE status = 'pending' AND due_at <= ? AND channel_type = ?
         ORDER BY due_at, id LIMIT 100`,
      )
      .all(now, channelType)
      .map(({ channelType, platformId, threadId, ...notice }) => ({
        ...notice,
        address: { channelType, platformId, threadId },
      }));
  }

  postpone(id: string, dueAt: string, tries: number): void {
    this.#db.prepare('UPDATE notices SET tries = ?, due_at = ? WHERE id = ?').run(tries, dueAt, id);
  }

  settle(id: string, status: 'sent' | 'failed'): void {
    this.#db.prepare('UPDATE notices SET status = ? WHERE id = ?').run(status, id);
  }

  /** Makes a chat's waiting notices due now: somebody listens. */
  hasten(channelType: string, platformId: string, now: string): void {
    this.#db
      .prepare(
        `UPDATE notices SET due_at = ? WHERE status = 'pending' AND channel_type = ? AND platform_id = ?`,
      )
      .run(now, channelType, platformId);
  }
}
