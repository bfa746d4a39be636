/**
 * The host's half of outbound.db: reads only. The file is written by a container and is hostile until parsed:
 * a link, a view in place of a table or an oversized row is refused. The daemon never waits for a lock (database_busy).
 */
import { BerthError, hasCode } from '../base/errors.js';
import { withDatabase, type Db } from '../base/sqlite.js';
import { maxContentBytes, type AckStatus } from './session-message.js';
import { failureKey, maxReasonLength, triesKey } from './session-state.js';

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

/** A processing_ack row, with the reason that a runner gave for a failure. */
export interface AckRecord {
  readonly status: AckStatus;
  /** messages_in.tries as the runner saw it. An ack of fewer tries than the row has belongs to an earlier try. */
  readonly tries: number;
  /** ISO-8601. */
  readonly statusChanged: string;
  readonly reason: string | null;
}

export class OutboundReader {
  readonly #path: string;
  readonly #busyTimeoutMs: number;

  /** A lock is waited for only where nothing else shares the thread: a command. */
  constructor(path: string, busyTimeoutMs = 0) {
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** 0 while the runner has written nothing. */
  maxSeq(): number {
    return this.#read(0, (db) =>
      Number(
        db
          .prepare(`SELECT seq FROM messages_out WHERE ${isNumbered} ORDER BY seq DESC LIMIT 1`)
          .pluck()
          .get() ?? 0,
      ),
    );
  }

  /** Rows after a seq, oldest first. A row without an id or a seq that could be recorded is left out. */
  listAfter(seq: number, limit: number): readonly OutboundRow[] {
    return this.#read([], (db) =>
      db
        .prepare<[number, number], OutboundRow>(
          `SELECT ${rowColumns} FROM messages_out WHERE ${isRecordable} AND seq > ? ORDER BY seq LIMIT ?`,
        )
        .all(seq, limit),
    );
  }

  /** The last rows, oldest first; otherwise as listAfter. */
  listNewest(limit: number): readonly OutboundRow[] {
    return this.#read([], (db) =>
      db
        .prepare<[number], OutboundRow>(
          `SELECT ${rowColumns} FROM messages_out WHERE ${isRecordable} ORDER BY seq DESC LIMIT ?`,
        )
        .all(limit)
        .reverse(),
    );
  }

  /** The acks of the named messages, as far as there are any. */
  findAcks(messageIds: readonly string[]): ReadonlyMap<string, AckRecord> {
    return this.#read(new Map(), (db) => {
      const findAck = db.prepare<[string], { status: unknown; statusChanged: string | null }>(
        `SELECT ${shortText('status')} AS status, ${shortText('status_changed')} AS statusChanged
         FROM processing_ack WHERE message_id = ?`,
      );
      const findState = db
        .prepare<[string], string | null>(
          `SELECT ${shortText('value')} FROM session_state WHERE key = ?`,
        )
        .pluck();
      const found = new Map<string, AckRecord>();
      for (const id of messageIds) {
        const ack = findAck.get(id);
        if (ack === undefined || !isAckStatus(ack.status)) continue;
        found.set(id, {
          status: ack.status,
          tries: parseTries(findState.get(triesKey(id))),
          statusChanged: ack.statusChanged ?? '',
          reason: findState.get(failureKey(id))?.slice(0, maxReasonLength) ?? null,
        });
      }
      return found;
    });
  }

  #read<T>(whenMissing: T, use: (db: Db) => T): T {
    try {
      return withDatabase(
        this.#path,
        { mode: 'read', busyTimeoutMs: this.#busyTimeoutMs },
        (db) => {
          if (!hasOurTables(db)) return whenMissing;
          return use(db);
        },
      );
    } catch (error) {
      if (hasCode(error, 'database_missing')) return whenMissing;
      throw error;
    }
  }
}

/** Of every column but content, in bytes. */
const maxShortBytes = 4_096;

/** octet_length looks at a value's header only, so that a huge one is never read. */
function shortText(column: string): string {
  return `CASE WHEN octet_length(${column}) <= ${maxShortBytes} THEN CAST(${column} AS TEXT) END`;
}

const rowColumns = `id, seq, ${shortText('in_reply_to')} AS inReplyTo,
  coalesce(${shortText('timestamp')}, '') AS timestamp, ${shortText('deliver_after')} AS deliverAfter,
  coalesce(${shortText('kind')}, '') AS kind, ${shortText('channel_type')} AS channelType,
  ${shortText('platform_id')} AS platformId, ${shortText('thread_id')} AS threadId,
  CASE WHEN octet_length(content) <= ${maxContentBytes} THEN CAST(content AS TEXT) END AS content`;

/** Far below where JavaScript's numbers lose count, so that there is room above it. */
const isNumbered = `typeof(seq) = 'integer' AND seq BETWEEN 0 AND ${2 ** 50}`;

const isRecordable = `${isNumbered} AND typeof(id) = 'text' AND octet_length(id) <= ${maxShortBytes}`;

function parseTries(value: string | null | undefined): number {
  const tries = Number(value ?? 0);
  return Number.isSafeInteger(tries) ? tries : 0;
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
      `SELECT type, sql FROM sqlite_schema WHERE name COLLATE NOCASE IN ('messages_out', 'processing_ack', 'session_state')`,
    )
    .all();
  for (const { type, sql } of entries) {
    if (type !== 'table' || sql === null || /generated|\bas\s*\(|virtual/i.test(sql)) {
      throw new BerthError(
        'database_corrupt',
        'outbound.db does not hold the tables of the protocol.',
        {
          next: 'Look into the file with sqlite3, then close the session with `berth sessions close`.',
        },
      );
    }
  }
  return entries.length === 3;
}
