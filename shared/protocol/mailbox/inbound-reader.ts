/** The runner's half of inbound.db: reads only, from a read-only mount. */
import { toBerthError, type BerthError } from '../../base/errors.js';
import { KeptDatabase, transact, type OpenedDatabase } from '../../base/sqlite/kept-database.js';
import { asForeign, fromSqlite } from '../../base/sqlite/sqlite.js';
import type { StatementCache } from '../../base/sqlite/statement-cache.js';
import {
  parseInboundContent,
  type Address,
  type Destination,
  type InboundMessage,
  type InboundStatus,
} from '../session-message.js';

/** A row whose time has come, without its content. */
export interface DueInbound {
  readonly id: string;
  readonly seq: number;
  /** A failed ack of fewer tries belongs to an earlier try: the row may be claimed again. */
  readonly tries: number;
}

interface PendingRow extends DueInbound {
  /** ISO-8601; null: at once. */
  readonly processAfter: string | null;
}

/** A row, or why it cannot be read as a message. */
export type LoadedInbound =
  | { readonly kind: 'message'; readonly message: InboundMessage }
  | { readonly kind: 'unreadable'; readonly id: string; readonly error: BerthError };

interface AddressColumns {
  channelType: string | null;
  platformId: string | null;
  threadId: string | null;
}

interface InboundRow extends AddressColumns {
  id: string;
  seq: number;
  kind: string;
  timestamp: string;
  status: InboundStatus;
  tries: number;
  content: string;
}

export class InboundReader {
  readonly #file: KeptDatabase;
  readonly #isKept: boolean;

  /** `isKept`: the file stays open between reads, without a lock, until `close`. */
  constructor(path: string, { isKept = false }: { readonly isKept?: boolean } = {}) {
    this.#file = new KeptDatabase(path, { mode: 'read', busyTimeoutMs: 0 });
    this.#isKept = isKept;
  }

  /**
   * Each query of the view, and what it does at once, holds the file's lock only for itself, so that the host can write
   * in between. Never waits for a lock: while the host commits, it throws database_busy.
   */
  read<T>(use: (inbound: InboundView) => T): T {
    const { path } = this.#file;
    try {
      const result = use(new InboundView(this.#file.open()));
      if (this.#isKept) this.#file.endUse();
      else this.close();
      return result;
    } catch (error) {
      this.close();
      throw asForeign(fromSqlite(error, path), path);
    }
  }

  /** Nothing stays open. */
  close(): void {
    this.#file.close();
  }
}

/** inbound.db while it is open. Its queries name both open statuses, because that is what the index covers. */
export class InboundView {
  readonly #opened: OpenedDatabase;
  readonly #statements: StatementCache;

  constructor(opened: OpenedDatabase) {
    this.#opened = opened;
    this.#statements = opened.statements;
  }

  /** In one read transaction, which is to be short: while it lasts, the host cannot write. */
  atOnce<T>(use: () => T): T {
    return transact(this.#opened, 'BEGIN', use);
  }

  maxSeq(): number {
    return Number(this.#statements.pluck('SELECT coalesce(max(seq), 0) FROM messages_in').get());
  }

  /** Rows that wake a turn and whose process_after has come, oldest first; read from the file as far as they are taken. */
  *pending(nowIso: string): Iterable<DueInbound> {
    for (const { processAfter, ...row } of this.#listPending()) {
      if (processAfter === null || processAfter <= nowIso) yield row;
    }
  }

  /** The earliest process_after later than now that would wake a turn, if any: when to read again. */
  findNextDueAt(nowIso: string): string | undefined {
    let next: string | undefined;
    for (const { processAfter } of this.#listPending()) {
      if (processAfter === null || processAfter <= nowIso) continue;
      if (next === undefined || processAfter < next) next = processAfter;
    }
    return next;
  }

  /** Context rows older than a seq, oldest first. */
  listContextBelow(seq: number, nowIso: string): readonly DueInbound[] {
    return this.#statements
      .prepare<[number, string], DueInbound>(
        `SELECT id, seq, tries FROM messages_in
         WHERE status IN ('pending', 'context') AND status = 'context' AND seq < ?
           AND (process_after IS NULL OR process_after <= ?)
         ORDER BY seq`,
      )
      .all(seq, nowIso);
  }

  /** The named rows in the order of their seq. */
  load(ids: readonly string[]): readonly LoadedInbound[] {
    const find = this.#statements.prepare<[string], InboundRow>(
      `SELECT id, seq, kind, timestamp, status, tries, platform_id AS platformId,
              channel_type AS channelType, thread_id AS threadId, content
       FROM messages_in WHERE id = ?`,
    );
    return ids
      .flatMap((id) => find.get(id) ?? [])
      .sort((left, right) => left.seq - right.seq)
      .map(parseRow);
  }

  /** Of the named messages_out rows those whose outcome has been final since before the cutoff. */
  findSettledOut(messageOutIds: readonly string[], cutoff: string): ReadonlySet<string> {
    const ids = this.#statements
      .pluck<[string, string], string>(
        `SELECT message_out_id FROM delivered
         WHERE message_out_id IN (SELECT value FROM json_each(?))
           AND status IN ('delivered', 'failed') AND delivered_at < ?`,
      )
      .all(JSON.stringify(messageOutIds), cutoff);
    return new Set(ids);
  }

  /** Of the named messages those that are in the file. */
  findKnown(messageIds: readonly string[]): ReadonlySet<string> {
    const ids = this.#statements
      .pluck<[string], string>(
        'SELECT id FROM messages_in WHERE id IN (SELECT value FROM json_each(?))',
      )
      .all(JSON.stringify(messageIds));
    return new Set(ids);
  }

  /** The address of replies that name none of their own. */
  findRouting(): Address | undefined {
    const row = this.#statements
      .prepare<[], AddressColumns>(
        `SELECT channel_type AS channelType, platform_id AS platformId, thread_id AS threadId
         FROM session_routing WHERE id = 1`,
      )
      .get();
    return row === undefined ? undefined : (addressOf(row) ?? undefined);
  }

  listDestinations(): readonly Destination[] {
    return this.#statements
      .prepare<[], Destination>(
        `SELECT name, display_name AS displayName, type, channel_type AS channelType,
                platform_id AS platformId, agent_group_id AS agentGroupId
         FROM destinations ORDER BY name`,
      )
      .all();
  }

  #listPending(): Iterable<PendingRow> {
    return this.#statements.walk<PendingRow>(
      `SELECT id, seq, tries, process_after AS processAfter FROM messages_in
       WHERE status IN ('pending', 'context') AND status = 'pending'
       ORDER BY seq`,
    );
  }
}

function parseRow(row: InboundRow): LoadedInbound {
  try {
    const content = parseInboundContent(row.kind, row.content);
    const { id, seq, timestamp, status, tries } = row;
    return {
      kind: 'message',
      message: { id, seq, timestamp, status, tries, address: addressOf(row), content },
    };
  } catch (error) {
    return { kind: 'unreadable', id: row.id, error: toBerthError(error) };
  }
}

function addressOf(row: AddressColumns): Address | null {
  if (row.channelType === null || row.platformId === null) return null;
  return { channelType: row.channelType, platformId: row.platformId, threadId: row.threadId };
}
