/**
 * The host's half of outbound.db: reads only. The file is written by a container and is hostile until parsed:
 * a link, a view in place of a table or an oversized row is refused. The daemon never waits for a lock (database_busy).
 */
import { BerthError, hasCode } from '../base/errors.js';
import { withDatabase, type Db } from '../base/sqlite.js';
import { assertNoTrap } from './outbound-trap.js';
import { hasJournal, viewOutbound } from './outbound-view.js';
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
  /** 1: it names a recurrence, which messages have not. */
  readonly recurs: 0 | 1;
}

type Head = Pick<OutboundRow, 'id' | 'seq'>;

/** A processing_ack row, with the reason that a runner gave for a failure. */
export interface AckRecord {
  readonly status: AckStatus;
  /** messages_in.tries as the runner saw it. An ack of fewer tries than the row has belongs to an earlier try. */
  readonly tries: number;
  /** ISO-8601. */
  readonly statusChanged: string;
  readonly reason: string | null;
}

export interface OutboundReaderOptions {
  /** Of the session, and out of its container's reach; see outbound-view. Left out: a command that harms only itself. */
  readonly viewDir?: string;
  /** A lock is waited for only where nothing else shares the thread: a command. */
  readonly busyTimeoutMs?: number;
}

export class OutboundReader {
  readonly #path: string;
  readonly #viewDir: string | undefined;
  readonly #busyTimeoutMs: number;

  constructor(path: string, { viewDir, busyTimeoutMs = 0 }: OutboundReaderOptions = {}) {
    this.#path = path;
    this.#viewDir = viewDir;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** 0 while the runner has written nothing. */
  maxSeq(): number {
    return this.#read(0, (db) => {
      const select = db.prepare<[], Found<Head>>(
        `SELECT CASE WHEN ${isNumbered} THEN '' END AS id, seq FROM messages_out
         WHERE seq <= ${maxSeqNumber} ORDER BY seq DESC`,
      );
      return walk<Head>(db, select.iterate(), 1)[0]?.seq ?? 0;
    });
  }

  /**
   * Rows after a seq, oldest first. A row without an id or a seq that could be recorded is left out. Throws
   * database_unreadable where the runner has no numbers left: whatever it says after that could not be recorded.
   */
  listAfter(seq: number, limit: number): readonly OutboundRow[] {
    return this.#read([], (db) => {
      assertHasNumbersLeft(db);
      const select = db.prepare<[number], Found<OutboundRow>>(
        `SELECT ${rowColumns} FROM messages_out WHERE ${isAfter} ORDER BY seq`,
      );
      return walk<OutboundRow>(db, select.iterate(seq), limit);
    });
  }

  /** Which rows there are, without what is in them; otherwise as listAfter. */
  listHeadsAfter(seq: number, limit: number): readonly Head[] {
    return this.#read([], (db) => {
      const select = db.prepare<[number], Found<Head>>(
        `SELECT ${recordableId} AS id, seq FROM messages_out WHERE ${isAfter} ORDER BY seq`,
      );
      return walk<Head>(db, select.iterate(seq), limit);
    });
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

  find(id: string): OutboundRow | undefined {
    return this.#read(undefined, (db) =>
      db
        .prepare<[string], OutboundRow>(
          `SELECT ${rowColumns} FROM messages_out WHERE ${isRecordable} AND id = ?`,
        )
        .get(id),
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
          `SELECT nullif(${shortText('value')}, '') FROM session_state WHERE key = ?`,
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

  /** Of the named messages those that are in the file; all of them where there is none, so that nothing is taken for gone. */
  findExisting(messageOutIds: readonly string[]): ReadonlySet<string> {
    return this.#read(new Set(messageOutIds), (db) => {
      const select = db.prepare('SELECT 1 FROM messages_out WHERE id = ?');
      return new Set(messageOutIds.filter((id) => select.get(id) !== undefined));
    });
  }

  #read<T>(whenMissing: T, use: (db: Db) => T): T {
    let name = this.#path;
    try {
      if (this.#viewDir === undefined) assertNoTrap(name);
      else name = viewOutbound(name, this.#viewDir);
      return withDatabase(name, { mode: 'read', busyTimeoutMs: this.#busyTimeoutMs }, (db) => {
        // From the first read on no writer can change the file: a journal that matters is there by then.
        db.exec('BEGIN');
        if (!hasOurTables(db)) return whenMissing;
        if (name !== this.#path && hasJournal(this.#path)) throw interrupted(this.#path);
        return use(db);
      });
    } catch (error) {
      if (hasCode(error, 'database_missing')) return whenMissing;
      throw namedAs(error, name, this.#path);
    }
  }
}

/** What is in the file may be half of a commit. It is for a moment, unless the writer was killed. */
function interrupted(path: string): BerthError {
  return new BerthError('database_busy', `${path} is being written.`, {
    facts: { path, journal: true },
  });
}

/** People know the file by its own name. */
function namedAs(error: unknown, name: string, path: string): unknown {
  if (!(error instanceof BerthError) || name === path) return error;
  return new BerthError(error.code, error.message.replaceAll(name, path), {
    cause: error,
    facts: { ...error.facts, path },
  });
}

/** Rows that no runner writes: so many on the way to one page, and the file is not taken for a mailbox any more. */
const maxStrangeRows = 1_000;

/** What `walk` reads: a row that cannot be recorded has null for its id. */
type Found<T extends { readonly id: string }> = T | (Omit<T, 'id'> & { readonly id: null });

/** Along the index of seq, row by row: what is left out must not keep this thread busy for long. */
function walk<T extends { readonly id: string }>(
  db: Db,
  found: Iterable<Found<T>>,
  limit: number,
): readonly T[] {
  const rows: T[] = [];
  let strange = 0;
  for (const row of found) {
    if (isKnown(row)) rows.push(row);
    else strange += 1;
    if (strange > maxStrangeRows) throw notOurs(db);
    if (rows.length === limit) break;
  }
  return rows;
}

function isKnown<T extends { readonly id: string }>(row: Found<T>): row is T {
  return row.id !== null;
}

/** Of every column but content, in bytes. */
const maxShortBytes = 4_096;

/** octet_length looks at a value's header only, so that a huge one is never read. */
export function shortText(column: string): string {
  return `CASE WHEN octet_length(${column}) <= ${maxShortBytes} THEN CAST(${column} AS TEXT) END`;
}

/** Far below where JavaScript's numbers lose count, so that there is room above it. */
const maxSeqNumber = 2 ** 50;

/** The plus keeps nought from the index: taken as its lower bound it would displace a query's own. */
const isNumbered = `typeof(seq) = 'integer' AND +seq >= 0 AND seq <= ${maxSeqNumber}`;

export const isRecordable = `${isNumbered} AND typeof(id) = 'text' AND octet_length(id) <= ${maxShortBytes}`;

const recordableId = `CASE WHEN ${isRecordable} THEN id END`;

/** Along the index, without a condition that would have it read on for long. */
const isAfter = `seq > ? AND seq <= ${maxSeqNumber}`;

const rowColumns = `${recordableId} AS id, seq, ${shortText('in_reply_to')} AS inReplyTo,
  coalesce(${shortText('timestamp')}, '') AS timestamp, ${shortText('deliver_after')} AS deliverAfter,
  coalesce(${shortText('kind')}, '') AS kind, ${shortText('channel_type')} AS channelType,
  ${shortText('platform_id')} AS platformId, ${shortText('thread_id')} AS threadId,
  CASE WHEN octet_length(content) <= ${maxContentBytes} THEN CAST(content AS TEXT) END AS content,
  coalesce(octet_length(recurrence), 0) > 0 AS recurs`;

/** A number that is too high, or no number: rows of a runner come after the highest one. */
function assertHasNumbersLeft(db: Db): void {
  const found = db.prepare(`SELECT 1 FROM messages_out WHERE seq > ${maxSeqNumber} LIMIT 1`).get();
  if (found === undefined) return;
  throw new BerthError(
    'database_unreadable',
    'In outbound.db is a message whose number is too high: nothing that comes after it could be recorded.',
    { facts: { path: db.name } },
  );
}

function parseTries(value: string | null | undefined): number {
  const tries = Number(value ?? 0);
  return Number.isSafeInteger(tries) ? tries : 0;
}

export function isAckStatus(value: unknown): value is AckStatus {
  return value === 'processing' || value === 'completed' || value === 'failed';
}

/**
 * False while the runner has not made its tables yet. A view or a computed column could keep this thread busy for
 * ever, so anything but plain tables of stored columns is refused. Throws database_corrupt.
 */
export function hasOurTables(db: Db): boolean {
  const entries = db
    .prepare<[], { type: string; sql: string | null }>(
      `SELECT type, sql FROM sqlite_schema WHERE name COLLATE NOCASE IN ('messages_out', 'processing_ack', 'session_state')`,
    )
    .all();
  for (const { type, sql } of entries) {
    if (type !== 'table' || !isOurTable(sql)) throw notOurs(db);
  }
  if (entries.length === 3) return true;
  if (entries.length > 0 || db.pragma('user_version', { simple: true }) !== 0) throw notOurs(db);
  return false;
}

/** The keys come first in each: without them every look would read the whole table. */
const ourBeginnings = [
  /^create table "?messages_out"? \(\s?id text primary key,\s?seq integer not null unique,/i,
  /^create table "?processing_ack"? \(\s?message_id text primary key,/i,
  /^create table "?session_state"? \(\s?key text primary key,/i,
];

function isOurTable(sql: string | null): boolean {
  const plain = sql?.replaceAll(/\s+/g, ' ') ?? '';
  const isComputed = /generated|\bas\s*\(|virtual/i.test(plain);
  return !isComputed && ourBeginnings.some((beginning) => beginning.test(plain));
}

function notOurs(db: Db): BerthError {
  return new BerthError(
    'database_corrupt',
    'outbound.db does not hold the tables of the protocol.',
    { facts: { path: db.name } },
  );
}
