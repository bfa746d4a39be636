/**
 * The host's half of outbound.db: reads only. The file is written by a container and is hostile until parsed:
 * a link, a view in place of a table or an oversized row is refused. The daemon never waits for a lock (database_busy).
 */
import { BerthError, errnoOf, hasCode } from '../../base/errors.js';
import { KeptDatabase, transact, type OpenedDatabase } from '../../base/sqlite/kept-database.js';
import { fromSqlite, outOfReach } from '../../base/sqlite/sqlite.js';
import { assertNotHostile } from './hostile-file.js';
import {
  isAfter,
  isNumbered,
  isRecordable,
  maxSeqNumber,
  recordableId,
  rowColumns,
} from './outbound-columns.js';
import { acksIn, type AckRecord } from './outbound-acks.js';
import { hasOurTables, notOurs } from './outbound-schema.js';
import { findView, hasJournal, viewOutbound } from './outbound-view.js';

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

/** A pass over a session asks for this of its outbound.db. */
export interface PageRequest {
  /** A seq: rows after it. */
  readonly after: number;
  /** How many rows at the most. */
  readonly limit: number;
  /** Messages whose acks are wanted. */
  readonly acksOf: readonly string[];
}

/** The rows that one read transaction has found. */
export interface OutboundPage {
  readonly rows: readonly OutboundRow[];
  readonly acks: ReadonlyMap<string, AckRecord>;
  /** The highest seq in the file, 0 where there is none. */
  readonly maxSeq: number;
  /** No row comes after these. */
  readonly isLast: boolean;
}

export interface OutboundReaderOptions {
  /** Of the session, and out of its container's reach; see outbound-view. Left out: the file is opened by its own name. */
  readonly viewDir?: string;
  /** Whether the second name is made where it is missing; otherwise that is thrown as such. */
  readonly makesView?: boolean;
  /** A lock is waited for only where nothing else shares the thread: a command. */
  readonly busyTimeoutMs?: number;
  /** The file stays open between calls, without a transaction, until `close`. */
  readonly isKept?: boolean;
}

export class OutboundReader {
  readonly #path: string;
  readonly #viewDir: string | undefined;
  readonly #makesView: boolean;
  readonly #busyTimeoutMs: number;
  readonly #isKept: boolean;
  #file: KeptDatabase | undefined;

  constructor(
    path: string,
    { viewDir, makesView = true, busyTimeoutMs = 0, isKept = false }: OutboundReaderOptions = {},
  ) {
    this.#path = path;
    this.#viewDir = viewDir;
    this.#makesView = makesView;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#isKept = isKept;
  }

  /** 0 while the runner has written nothing. */
  maxSeq(): number {
    return this.#read(0, (opened) => {
      const found = opened.statements.walk<Found<Head>>(
        `SELECT CASE WHEN ${isNumbered} THEN '' END AS id, seq FROM messages_out
         WHERE seq <= ${maxSeqNumber} ORDER BY seq DESC`,
      );
      return collect<Head>(opened, found, 1)[0]?.seq ?? 0;
    });
  }

  /** Undefined while the runner has written nothing; otherwise as listAfter. */
  readPage({ after, limit, acksOf }: PageRequest): OutboundPage | undefined {
    return this.#read<OutboundPage | undefined>(undefined, (opened) => {
      const maxSeq = highestSeq(opened);
      const found = opened.statements.walk<Found<OutboundRow>>(
        `SELECT ${rowColumns} FROM messages_out WHERE ${isAfter} ORDER BY seq`,
        after,
      );
      const rows = collect<OutboundRow>(opened, found, limit);
      const isLast = rows.length < limit && contentBytes(rows) < maxPageBytes;
      return { rows, acks: acksIn(opened, acksOf), maxSeq, isLast };
    });
  }

  /**
   * Rows after a seq, oldest first. A row without an id or a seq that could be recorded is left out. Throws
   * database_unreadable where the runner has no numbers left: whatever it says after that could not be recorded.
   */
  listAfter(seq: number, limit: number): readonly OutboundRow[] {
    return this.readPage({ after: seq, limit, acksOf: [] })?.rows ?? [];
  }

  /** Which rows there are, without what is in them; otherwise as listAfter. */
  listHeadsAfter(seq: number, limit: number): readonly Head[] {
    return this.#read([], (opened) => {
      const found = opened.statements.walk<Found<Head>>(
        `SELECT ${recordableId} AS id, seq FROM messages_out WHERE ${isAfter} ORDER BY seq`,
        seq,
      );
      return collect<Head>(opened, found, limit);
    });
  }

  /** The last rows, oldest first, as many as one page holds; otherwise as listAfter. */
  listNewest(limit: number): readonly OutboundRow[] {
    return this.#read([], (opened) => {
      const found = opened.statements.walk<Found<OutboundRow>>(
        `SELECT ${rowColumns} FROM messages_out WHERE seq <= ${maxSeqNumber} ORDER BY seq DESC`,
      );
      return collect<OutboundRow>(opened, found, limit).toReversed();
    });
  }

  find(id: string): OutboundRow | undefined {
    return this.#read(undefined, ({ statements }) =>
      statements
        .prepare<[string], OutboundRow>(
          `SELECT ${rowColumns} FROM messages_out WHERE ${isRecordable} AND id = ?`,
        )
        .get(id),
    );
  }

  /** The acks of the named messages, as far as there are any. */
  findAcks(messageIds: readonly string[]): ReadonlyMap<string, AckRecord> {
    return this.#read<ReadonlyMap<string, AckRecord>>(new Map(), (opened) =>
      acksIn(opened, messageIds),
    );
  }

  /** Of the named messages those that are in the file; all of them where there is none, so that nothing is taken for gone. */
  findExisting(messageOutIds: readonly string[]): ReadonlySet<string> {
    return this.#read(new Set(messageOutIds), ({ statements }) => {
      const select = statements.prepare('SELECT 1 FROM messages_out WHERE id = ?');
      return new Set(messageOutIds.filter((id) => select.get(id) !== undefined));
    });
  }

  /** The name to open. Throws as viewOutbound and assertNotHostile. */
  #findName(): string {
    if (this.#viewDir !== undefined) {
      return this.#makesView
        ? viewOutbound(this.#path, this.#viewDir)
        : findView(this.#path, this.#viewDir);
    }
    assertNotHostile(this.#path);
    return this.#path;
  }

  /** Nothing stays open. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #read<T>(whenMissing: T, use: (opened: OpenedDatabase) => T): T {
    let name = this.#path;
    try {
      name = this.#findName();
      return this.#transact(name, (opened) => {
        if (!hasOurTables(opened)) return whenMissing;
        if (name !== this.#path && hasJournal(this.#path)) throw interrupted(this.#path);
        return use(opened);
      });
    } catch (error) {
      if (hasCode(error, 'database_missing')) return whenMissing;
      if (error instanceof BerthError) throw namedAs(error, name, this.#path);
      throw errnoOf(error) === undefined ? error : outOfReach(this.#path, error);
    }
  }

  /** From the first read on no writer can change the file: a journal that matters is there by then. */
  #transact<T>(name: string, use: (opened: OpenedDatabase) => T): T {
    if (this.#file?.path !== name) this.close();
    const options = { mode: 'read', busyTimeoutMs: this.#busyTimeoutMs } as const;
    this.#file ??= new KeptDatabase(name, options);
    let isWell = false;
    try {
      const opened = this.#file.open();
      const result = transact(opened, 'BEGIN', () => use(opened));
      isWell = true;
      return result;
    } catch (error) {
      throw fromSqlite(error, name);
    } finally {
      if (!isWell || !this.#isKept) this.close();
    }
  }
}

/** In bytes: a page is cut after the row that makes it longer. */
const maxPageBytes = 1024 * 1024;

function contentBytes(rows: readonly OutboundRow[]): number {
  return rows.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
}

/** The file may hold half of a commit. That lasts a moment, unless the writer was killed. */
function interrupted(path: string): BerthError {
  return new BerthError('database_busy', `${path} is being written.`, {
    facts: { path, journal: true },
  });
}

/** People know the file by its own name. */
function namedAs(error: BerthError, name: string, path: string): BerthError {
  if (name === path) return error;
  return new BerthError(error.code, error.message.replaceAll(name, path), {
    cause: error,
    facts: { ...error.facts, path },
  });
}

/** Rows that no runner writes: so many on the way to one page, and the file is not taken for a mailbox any more. */
const maxStrangeRows = 1_000;

/** `collect` reads these: a row that cannot be recorded has null for its id. */
type Found<T extends { readonly id: string }> = T | (Omit<T, 'id'> & { readonly id: null });

/** Along the index of seq, row by row: what is left out must not keep this thread busy for long. */
function collect<T extends { readonly id: string }>(
  { db }: OpenedDatabase,
  found: Iterable<Found<T>>,
  limit: number,
): readonly T[] {
  const rows: T[] = [];
  let strange = 0;
  let bytes = 0;
  for (const row of found) {
    if (isKnown(row)) rows.push(row);
    else strange += 1;
    if (strange > maxStrangeRows) throw notOurs(db);
    bytes += 'content' in row && typeof row.content === 'string' ? row.content.length : 0;
    if (rows.length === limit || bytes >= maxPageBytes) break;
  }
  return rows;
}

function isKnown<T extends { readonly id: string }>(row: Found<T>): row is T {
  return row.id !== null;
}

/**
 * The highest seq in the file, 0 where there is none. Throws database_unreadable where that is too high a number, or
 * none: rows of a runner come after it, and could not be recorded. Throws database_corrupt where damage made it so.
 */
function highestSeq({ db, statements }: OpenedDatabase): number {
  const highest = statements.pluck('SELECT seq FROM messages_out ORDER BY seq DESC LIMIT 1').get();
  if (highest === undefined) return 0;
  if (typeof highest === 'number' && highest <= maxSeqNumber) return Math.max(0, highest);
  if (db.pragma('integrity_check(1)', { simple: true }) !== 'ok') {
    const facts = { path: db.name };
    throw new BerthError('database_corrupt', 'A message of outbound.db has no number.', { facts });
  }
  throw new BerthError(
    'database_unreadable',
    'In outbound.db is a message whose number is too high: nothing that comes after it could be recorded.',
    { facts: { path: db.name } },
  );
}
