/**
 * The host's half of inbound.db, its only writer. Opens, uses and closes the file per call or in inOneOpening, and never waits
 * for a lock: a locked file throws database_busy, and the caller tries again without holding up other sessions.
 */
import { isoAt } from '../base/clock.js';
import { BerthError } from '../base/errors.js';
import { migrateByVersion, type Migration } from '../base/migrate.js';
import { asForeign, fromSqlite, openDatabase, withDatabase, type Db } from '../base/sqlite.js';
import { assertInboundSchema } from './inbound-schema.js';
import { writeDestinations, writeRouting } from './inbound-projection.js';
import type {
  Address,
  DeliveryStatus,
  Destination,
  InboundStatus,
  MessageKind,
} from './session-message.js';
import { cancelSurplusContext } from './surplus-context.js';

export interface NewInboundRow {
  readonly id: string;
  readonly kind: MessageKind;
  /** ISO-8601. */
  readonly timestamp: string;
  readonly status: 'pending' | 'context';
  /** ISO-8601; null: at once. */
  readonly processAfter: string | null;
  /** A cron expression, or null. */
  readonly recurrence: string | null;
  readonly address: Address | null;
  /** JSON, as encodeContent makes it. */
  readonly content: string;
}

export interface DeliveryRecord {
  readonly status: DeliveryStatus;
  readonly platformMessageId: string | null;
}

/** One messages_in row that is not settled yet. */
export interface OpenInbound {
  readonly id: string;
  readonly seq: number;
  readonly status: InboundStatus;
  readonly tries: number;
  readonly processAfter: string | null;
  readonly kind: string;
  /** ISO-8601. Of a task: when it is scheduled. */
  readonly timestamp: string;
  readonly recurrence: string | null;
  /** Of a recurring task that names one. */
  readonly timeZone: string | null;
}

/** The next run of a recurring task: the row of the last one, at another time. */
export interface FollowingRow {
  /** The id of the last one. */
  readonly of: string;
  readonly id: string;
  /** ISO-8601. */
  readonly scheduledAt: string;
}

/** What became of a messages_in row. */
export type InboundOutcome =
  | { readonly id: string; readonly status: 'completed' | 'failed' | 'cancelled' }
  /** One more try, not before the given time (ISO-8601). */
  | { readonly id: string; readonly status: 'retry'; readonly processAfter: string }
  /** Its next run takes its place. */
  | { readonly id: string; readonly status: 'moved' }
  /** The same try, at another time (ISO-8601). */
  | { readonly id: string; readonly status: 'hasten'; readonly processAfter: string };

export interface AppendRequest {
  readonly rows: readonly NewInboundRow[];
  /** The highest seq in outbound.db now; the new rows come after it. */
  readonly outboundMaxSeq: number;
  /** Replaces session_routing when given. */
  readonly routing?: Address;
  /** Replaces the destinations when given. */
  readonly destinations?: readonly Destination[];
}

type Nullable<T> = { [K in keyof T]: T[K] | null };

export class InboundWriter {
  readonly #path: string;
  readonly #migrations: readonly Migration[];
  #db: Db | undefined;
  #isKeptOpen = false;

  /** With `migrations`, a file that an older version has made is brought up to date when it is opened. */
  constructor(path: string, migrations: readonly Migration[] = []) {
    this.#path = path;
    this.#migrations = migrations;
  }

  /** Makes the file or brings it up to date. */
  create(migrations: readonly Migration[]): void {
    withDatabase(this.#path, { mode: 'create', busyTimeoutMs: 0 }, (db) => {
      migrateByVersion(db, migrations);
    });
  }

  /** Appends in one transaction. Returns the ids that were new: an id that is there already is left as it is. */
  append(request: AppendRequest): readonly string[] {
    return this.#write((db) => {
      let seq = nextEvenSeq(db, request.outboundMaxSeq);
      const insert = db.prepare(
        `INSERT INTO messages_in (id, seq, kind, timestamp, status, process_after, recurrence,
                                  platform_id, channel_type, thread_id, content)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
      );
      const added: string[] = [];
      for (const row of request.rows) {
        const { changes } = insert.run(
          row.id,
          seq,
          row.kind,
          row.timestamp,
          row.status,
          row.processAfter,
          row.recurrence,
          row.address?.platformId ?? null,
          row.address?.channelType ?? null,
          row.address?.threadId ?? null,
          row.content,
        );
        if (changes === 0) continue;
        added.push(row.id);
        seq += 2;
      }
      if (request.routing !== undefined) writeRouting(db, request.routing);
      if (request.destinations !== undefined) writeDestinations(db, request.destinations);
      const contextCount = request.rows.filter(({ status }) => status === 'context').length;
      if (contextCount > 0) cancelSurplusContext(db, contextCount + 1);
      return added;
    });
  }

  /** Replaces what the agent may send to and where its replies go; writes only what differs. */
  project(projection: { routing?: Address; destinations?: readonly Destination[] }): void {
    this.#write((db) => {
      if (projection.routing !== undefined) writeRouting(db, projection.routing);
      if (projection.destinations !== undefined) writeDestinations(db, projection.destinations);
    });
  }

  /** Rows that are not final, oldest first. */
  listOpen(): readonly OpenInbound[] {
    return this.#read((db) =>
      db
        .prepare<[], OpenInbound>(
          `SELECT id, seq, status, tries, process_after AS processAfter, kind, timestamp, recurrence,
                  CASE WHEN recurrence IS NOT NULL AND json_valid(content)
                       THEN CAST(content ->> 'timeZone' AS TEXT) END AS timeZone
           FROM messages_in
           WHERE status IN ('pending', 'context') ORDER BY seq`,
        )
        .all(),
    );
  }

  /**
   * Copies final acks into messages_in.status, puts back what is to be tried again, and writes the next runs of tasks;
   * all or nothing. A run that is there already is left as it is. `outboundMaxSeq`: as in AppendRequest.
   */
  settle(
    outcomes: readonly InboundOutcome[],
    following: readonly FollowingRow[] = [],
    outboundMaxSeq = 0,
  ): void {
    if (outcomes.length === 0) return;
    this.#write((db) => {
      const update = db.prepare('UPDATE messages_in SET status = ? WHERE id = ?');
      const hasten = db.prepare('UPDATE messages_in SET process_after = ? WHERE id = ?');
      const retry = db.prepare(
        `UPDATE messages_in SET tries = tries + 1, process_after = ? WHERE id = ?`,
      );
      for (const outcome of outcomes) {
        if (outcome.status === 'retry') retry.run(outcome.processAfter, outcome.id);
        else if (outcome.status === 'hasten') hasten.run(outcome.processAfter, outcome.id);
        else update.run(outcome.status === 'moved' ? 'cancelled' : outcome.status, outcome.id);
      }
      for (const row of following) appendFollowing(db, row, outboundMaxSeq);
    });
  }

  /** Takes tasks back: those which have begun end their series only, the others are not run at all. */
  cancel(messageIds: readonly string[], begun: ReadonlySet<string>): void {
    this.#write((db) => {
      const end = db.prepare('UPDATE messages_in SET recurrence = NULL WHERE id = ?');
      const cancel = db.prepare(
        `UPDATE messages_in SET status = 'cancelled' WHERE id = ? AND status = 'pending'`,
      );
      for (const id of messageIds) (begun.has(id) ? end : cancel).run(id);
    });
  }

  /** Something was answered, or sent: then there was an outbound.db. */
  hasHistory(): boolean {
    return this.#read((db) => {
      const found = db
        .prepare(
          `SELECT EXISTS (SELECT 1 FROM delivered) OR EXISTS (SELECT 1 FROM messages_in WHERE status = 'completed')`,
        )
        .pluck()
        .get();
      return found === 1;
    });
  }

  findStatus(messageId: string): InboundStatus | undefined {
    return this.#read((db) =>
      db
        .prepare<[string], InboundStatus>('SELECT status FROM messages_in WHERE id = ?')
        .pluck()
        .get(messageId),
    );
  }

  /** What a message says; undefined where that cannot be read. */
  findText(messageId: string): string | undefined {
    const text = this.#read((db) =>
      db
        .prepare(
          `SELECT CAST(content ->> 'text' AS TEXT) FROM messages_in WHERE id = ? AND json_valid(content)`,
        )
        .pluck()
        .get(messageId),
    );
    return typeof text === 'string' ? text : undefined;
  }

  /** Where messages came from, and so where a failure is told; in the order of the ids. */
  findAddresses(messageIds: readonly string[]): ReadonlyMap<string, Address> {
    return this.#read((db) => {
      const select = db.prepare<[string], Nullable<Address>>(
        `SELECT channel_type AS channelType, platform_id AS platformId, thread_id AS threadId
         FROM messages_in WHERE id = ?`,
      );
      const found = new Map<string, Address>();
      for (const id of messageIds) {
        const { channelType = null, platformId = null, threadId = null } = select.get(id) ?? {};
        if (channelType !== null && platformId !== null) {
          found.set(id, { channelType, platformId, threadId });
        }
      }
      return found;
    });
  }

  findDeliveries(messageOutIds: readonly string[]): ReadonlyMap<string, DeliveryRecord> {
    return this.#read((db) => {
      const select = db.prepare<[string], DeliveryRecord>(
        'SELECT status, platform_message_id AS platformMessageId FROM delivered WHERE message_out_id = ?',
      );
      const found = new Map<string, DeliveryRecord>();
      for (const id of messageOutIds) {
        const record = select.get(id);
        if (record !== undefined) found.set(id, record);
      }
      return found;
    });
  }

  /**
   * Notes what became of sends, in one transaction. `forget` takes back that sends had begun: they did not
   * happen, and will be tried again.
   */
  recordDeliveries(
    records: readonly (DeliveryRecord & { messageOutId: string })[],
    forget: readonly string[],
    nowMs: number,
  ): void {
    if (records.length + forget.length === 0) return;
    this.#write((db) => {
      const upsert = db.prepare(
        `INSERT INTO delivered (message_out_id, platform_message_id, status, delivered_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (message_out_id) DO UPDATE SET
           platform_message_id = excluded.platform_message_id, status = excluded.status,
           delivered_at = excluded.delivered_at`,
      );
      for (const record of records) {
        upsert.run(record.messageOutId, record.platformMessageId, record.status, isoAt(nowMs));
      }
      const remove = db.prepare('DELETE FROM delivered WHERE message_out_id = ?');
      for (const id of forget) remove.run(id);
    });
  }

  /** All calls that `use` makes share one opening of the file; each is still a transaction of its own. */
  inOneOpening<T>(use: () => T): T {
    this.#isKeptOpen = true;
    try {
      return use();
    } finally {
      this.#isKeptOpen = false;
      this.#close();
    }
  }

  #read<T>(use: (db: Db) => T): T {
    try {
      return use(this.#opened());
    } catch (error) {
      throw asForeign(fromSqlite(error, this.#path), this.#path);
    } finally {
      if (!this.#isKeptOpen) this.#close();
    }
  }

  #opened(): Db {
    if (this.#db !== undefined) return this.#db;
    const db = openDatabase(this.#path, { mode: 'write', busyTimeoutMs: 0 });
    try {
      this.#bringUpToDate(db);
      assertInboundSchema(db);
    } catch (error) {
      db.close();
      throw error;
    }
    this.#db = db;
    return db;
  }

  #close(): void {
    this.#db?.close();
    this.#db = undefined;
  }

  #bringUpToDate(db: Db): void {
    const latest = this.#migrations.length;
    if (latest === 0) return;
    const version = db.pragma('user_version', { simple: true });
    if (version === latest) return;
    // Making its tables anew would hide that the file was emptied.
    if (version === 0) {
      const facts = { path: this.#path };
      throw new BerthError('database_corrupt', `${this.#path} is empty.`, { facts });
    }
    migrateByVersion(db, this.#migrations);
  }

  #write<T>(use: (db: Db) => T): T {
    return this.#read((db) => db.transaction(() => use(db)).immediate());
  }
}

/** How far a runner's numbers may run ahead between two rows of the host: millions of replies to one message. */
const longestLead = 2 ** 24;

/** Host seqs are even, and greater than every seq in both files. */
function nextEvenSeq(db: Db, outboundMaxSeq: number): number {
  const found = db.prepare('SELECT coalesce(max(seq), 0) FROM messages_in').pluck().get();
  const inboundMaxSeq = Number(found);
  // The container's word: it must not use up all numbers there are.
  const max = Math.max(inboundMaxSeq, Math.min(outboundMaxSeq, inboundMaxSeq + longestLead));
  return max + 2 - (max % 2);
}

function appendFollowing(db: Db, row: FollowingRow, outboundMaxSeq: number): void {
  const { of, id, scheduledAt } = row;
  db.prepare(
    `INSERT INTO messages_in (id, seq, kind, timestamp, process_after, recurrence,
                              platform_id, channel_type, thread_id, content)
     SELECT @id, @seq, kind, @scheduledAt, @scheduledAt, recurrence, platform_id, channel_type, thread_id, content
     FROM messages_in WHERE id = @of ON CONFLICT (id) DO NOTHING`,
  ).run({ of, id, scheduledAt, seq: nextEvenSeq(db, outboundMaxSeq) });
}
