import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';
import type { Address } from '../../../shared/protocol/session-message.js';

/** Something the host itself has to say in a chat. */
export interface Notice {
  readonly id: string;
  readonly address: Address;
  /** The inbound message it is about, if any. */
  readonly inReplyTo: string | null;
  readonly text: string;
  readonly tries: number;
  /** `sending`: a send of it was begun, and its outcome never noted. */
  readonly status: 'pending' | 'sending';
  /** The notice may have been said: the outcome of a send is not known. */
  readonly maybeSent: boolean;
}

/** The text to say, and whom to tell. */
export type NewNotice = Pick<Notice, 'id' | 'address' | 'inReplyTo' | 'text'>;

/** A notice, said or not. */
export interface SaidNotice {
  readonly text: string;
  readonly status: 'pending' | 'sending' | 'sent' | 'failed';
  readonly createdAt: string;
}

interface Row {
  id: string;
  channelType: string;
  platformId: string;
  threadId: string | null;
  inReplyTo: string | null;
  text: string;
  tries: number;
  status: 'pending' | 'sending';
  maybeSent: 0 | 1;
}

/** Both that are not final, as the index covers them. */
const open = `status IN ('pending', 'sending')`;

export class NoticeStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  /** A notice of the same id is said once. */
  insert(notice: NewNotice, now: string): void {
    this.#statements
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

  /** The notices about a message, the oldest first; reads the whole table. */
  listAbout(messageId: string): readonly SaidNotice[] {
    return this.#statements
      .prepare<[string], SaidNotice>(
        `SELECT text, status, created_at AS createdAt FROM notices WHERE in_reply_to = ? ORDER BY created_at, id`,
      )
      .all(messageId);
  }

  /** How many a chat is still to be told, and when the next one is due; ISO-8601. */
  findWaiting(
    channelType: string,
    platformId: string,
  ): { readonly count: number; readonly dueAt: string | null } {
    const found = this.#statements
      .prepare<[string, string], { count: number; dueAt: string | null }>(
        `SELECT count(*) AS count, min(due_at) AS dueAt FROM notices
         WHERE ${open} AND channel_type = ? AND platform_id = ?`,
      )
      .get(channelType, platformId);
    return found ?? { count: 0, dueAt: null };
  }

  /** Whether the same waits to be said in the same chat. */
  isWaiting({ address, text }: NewNotice): boolean {
    const found = this.#statements
      .prepare(
        `SELECT 1 FROM notices WHERE ${open} AND status = 'pending' AND channel_type = ? AND platform_id = ? AND text = ?`,
      )
      .get(address.channelType, address.platformId, text);
    return found !== undefined;
  }

  /** Channels that have something to say now. */
  listDueChannels(now: string): readonly string[] {
    return this.#statements
      .pluck<[string], string>(
        `SELECT DISTINCT channel_type FROM notices WHERE ${open} AND due_at <= ?`,
      )
      .all(now);
  }

  /** The oldest of a channel's. */
  listDue(now: string, channelType: string): readonly Notice[] {
    return this.#statements
      .prepare<[string, string], Row>(
        `SELECT id, channel_type AS channelType, platform_id AS platformId, thread_id AS threadId,
                in_reply_to AS inReplyTo, text, tries, status, maybe_sent AS maybeSent
         FROM notices WHERE ${open} AND due_at <= ? AND channel_type = ?
         ORDER BY due_at, id LIMIT 100`,
      )
      .all(now, channelType)
      .map(({ channelType, platformId, threadId, ...notice }) => ({
        ...notice,
        maybeSent: notice.maybeSent !== 0,
        address: { channelType, platformId, threadId },
      }));
  }

  /** A send begins. */
  begin(id: string): void {
    this.#statements.prepare(`UPDATE notices SET status = 'sending' WHERE id = ?`).run(id);
  }

  postpone({ id, tries, maybeSent }: Notice, dueAt: string): void {
    this.#statements
      .prepare(
        `UPDATE notices SET status = 'pending', tries = ?, due_at = ?, maybe_sent = ? WHERE id = ?`,
      )
      .run(tries, dueAt, maybeSent ? 1 : 0, id);
  }

  settle(id: string, status: 'sent' | 'failed'): void {
    this.#statements.prepare('UPDATE notices SET status = ? WHERE id = ?').run(status, id);
  }

  /** A notice that was said, or was to be said, is not true any more: the same id may be said again. */
  remove(id: string): void {
    this.#statements.prepare('DELETE FROM notices WHERE id = ?').run(id);
  }

  /** All that waits for a time after `now` waits less long. */
  advanceAll(now: string, byMs: number): void {
    this.#statements
      .prepare(
        `UPDATE notices SET due_at = strftime('%Y-%m-%dT%H:%M:%fZ', due_at, ?)
         WHERE status = 'pending' AND due_at > ?`,
      )
      .run(`-${(byMs / 1_000).toFixed(3)} seconds`, now);
  }

  /** Makes a chat's waiting notices due now: somebody listens. */
  reschedule(channelType: string, platformId: string, now: string): void {
    this.#statements
      .prepare(
        `UPDATE notices SET due_at = ? WHERE ${open} AND status = 'pending' AND channel_type = ? AND platform_id = ?`,
      )
      .run(now, channelType, platformId);
  }

  /** As reschedule, for every chat of a channel. */
  rescheduleChannel(channelType: string, now: string): void {
    this.#statements
      .prepare(
        `UPDATE notices SET due_at = ? WHERE ${open} AND status = 'pending' AND channel_type = ?`,
      )
      .run(now, channelType);
  }

  /**
   * Forgets notices that were settled and made before the first time, and those that were made before the second and
   * never found anybody; `limit` at the most. Returns how many.
   */
  prune(settledBefore: string, unsaidBefore: string, limit: number): number {
    return this.#statements
      .prepare(
        `DELETE FROM notices WHERE rowid IN
           (SELECT rowid FROM notices WHERE created_at < ? AND (status IN ('sent', 'failed') OR created_at < ?)
            ORDER BY created_at LIMIT ?)`,
      )
      .run(settledBefore, unsaidBefore, limit).changes;
  }
}
