/** The runner's half of outbound.db, its only writer. Opens, uses and closes the file per call. */
import { isoAt } from '../base/clock.js';
import { migrateByVersion, type Migration } from '../base/migrate.js';
import { withDatabase, type Db } from '../base/sqlite.js';
import type { AckStatus, Address } from './session-message.js';

/** How long the runner waits for the host's look to end, in milliseconds. */
const busyTimeoutMs = 5_000;

export interface NewOutboundRow {
  readonly id: string;
  readonly inReplyTo: string | null;
  /** ISO-8601; null: at once. */
  readonly deliverAfter: string | null;
  readonly kind: 'chat' | 'system';
  readonly address: Address | null;
  /** JSON, as encodeContent makes it. */
  readonly content: string;
}

/** What one transaction of a turn writes. */
export interface OutboundCommit {
  readonly rows: readonly NewOutboundRow[];
  readonly acks: readonly { messageId: string; status: AckStatus }[];
  /** The highest seq in inbound.db now; the new rows come after it. */
  readonly inboundMaxSeq: number;
  readonly nowMs: number;
}

export class OutboundWriter {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Makes the file or brings it up to date. */
  create(migrations: readonly Migration[]): void {
    withDatabase(this.#path, { mode: 'create', busyTimeoutMs }, (db) => {
      migrateByVersion(db, migrations);
    });
  }

  /** The acks of the named messages, as far as there are any. */
  findAcks(messageIds: readonly string[]): ReadonlyMap<string, AckStatus> {
    return withDatabase(this.#path, { mode: 'read', busyTimeoutMs }, (db) => {
      const rows = db
        .prepare<[string], { id: string; status: AckStatus }>(
          `SELECT message_id AS id, status FROM processing_ack
           WHERE message_id IN (SELECT value FROM json_each(?))`,
        )
        .all(JSON.stringify(messageIds));
      return new Map(rows.map((row) => [row.id, row.status]));
    });
  }

  /** Marks messages as being worked on. */
  claim(messageIds: readonly string[], nowMs: number): void {
    this.#write((db) => {
      writeAcks(db, messageIds.map((messageId) => ({ messageId, status: 'processing' })), nowMs);
    });
  }

  /** Replies and acks in one transaction: either both are there or neither. */
  commit(commit: OutboundCommit): void {
    this.#write((db) => {
      insertRows(db, commit);
      writeAcks(db, commit.acks, commit.nowMs);
    });
  }

  /** Gives back what a runner before this one had claimed and not ended. Returns how many. */
  clearStaleClaims(): number {
    return this.#write(
      (db) => db.prepare(`DELETE FROM processing_ack WHERE status = 'processing'`).run().changes,
    );
  }

  /** Gives back claims of this runner. */
  release(messageIds: readonly string[]): void {
    this.#write((db) => {
      const remove = db.prepare(
        `DELETE FROM processing_ack WHERE message_id = ? AND status = 'processing'`,
      );
      for (const id of messageIds) remove.run(id);
    });
  }

  #write<T>(use: (db: Db) => T): T {
    return withDatabase(this.#path, { mode: 'write', busyTimeoutMs }, (db) =>
      db.transaction(() => use(db)).immediate(),
    );
  }
}

function insertRows(db: Db, commit: OutboundCommit): void {
  if (commit.rows.length === 0) return;
  const outboundMaxSeq = db.prepare('SELECT coalesce(max(seq), 0) FROM messages_out').pluck().get();
  const max = Math.max(Number(outboundMaxSeq), commit.inboundMaxSeq);
  // Runner seqs are odd, and greater than every seq in both files.
  let seq = max + 1 + (max % 2);
  const insert = db.prepare(
    `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, deliver_after, kind,
                               platform_id, channel_type, thread_id, content)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const row of commit.rows) {
    insert.run(
      row.id,
      seq,
      row.inReplyTo,
      isoAt(commit.nowMs),
      row.deliverAfter,
      row.kind,
      row.address?.platformId ?? null,
      row.address?.channelType ?? null,
      row.address?.threadId ?? null,
      row.content,
    );
    seq += 2;
  }
}

function writeAcks(
  db: Db,
  acks: readonly { messageId: string; status: AckStatus }[],
  nowMs: number,
): void {
  const upsert = db.prepare(
    `INSERT INTO processing_ack (message_id, status, status_changed) VALUES (?, ?, ?)
     ON CONFLICT (message_id) DO UPDATE SET status = excluded.status, status_changed = excluded.status_changed`,
  );
  for (const ack of acks) upsert.run(ack.messageId, ack.status, isoAt(nowMs));
}
