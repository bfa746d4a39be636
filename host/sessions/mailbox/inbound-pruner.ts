/**
 * Takes away what is too old in inbound.db; the host's, like InboundWriter. In slices: each call is one small
 * transaction, and says where the next one goes on. docs/adr/0008 tells what may go, and why nothing is run or sent
 * again.
 */
import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';
import type { InboundHandle } from '../../../shared/protocol/mailbox/inbound-handle.js';
import type { InboundStatus } from '../../../shared/protocol/session-message.js';
import { cancelSurplusContext } from '../../../shared/protocol/mailbox/surplus-context.js';

/** Rows after `after` are examined, `limit` at the most. */
export interface SliceRequest {
  readonly after: number;
  readonly limit: number;
  /** ISO-8601: what is older may go. */
  readonly cutoff: string;
}

export interface Slice {
  readonly removed: number;
  /** Where to go on; undefined: nothing further is old. */
  readonly next: number | undefined;
}

/** A final row of `delivered` that is old enough to go. */
export interface OldDelivery {
  /** Its place in the order in which deliveries were noted. */
  readonly seq: number;
  readonly messageOutId: string;
}

interface MessageRow {
  readonly id: string;
  readonly seq: number;
  readonly status: InboundStatus;
  readonly isOld: 0 | 1;
  readonly bytes: number;
}

/** The most that one slice frees: a long message takes as long as many short ones. */
const maxSliceBytes = 512 * 1024;

export class InboundPruner {
  readonly #file: InboundHandle;

  constructor(file: InboundHandle) {
    this.#file = file;
  }

  /**
   * Removes messages that are done with, and context that nobody has asked about, but never the newest row: seq counts
   * on from it. `kept`: ids that somebody still has a use for.
   */
  pruneMessages(request: SliceRequest, kept: ReadonlySet<string>): Slice {
    return this.#file.write((statements) => {
      const newest = Number(statements.pluck('SELECT max(seq) FROM messages_in').get() ?? 0);
      // The time it was put off to counts too: a task of next year is young when it has run.
      const rows = statements
        .prepare<[string, number, number], MessageRow>(
          `SELECT id, seq, status, max(timestamp, coalesce(process_after, timestamp)) < ? AS isOld,
                  octet_length(content) AS bytes
           FROM messages_in WHERE seq > ? ORDER BY seq LIMIT ?`,
        )
        .all(request.cutoff, request.after, request.limit);
      const mayGo = ({ id, seq, status, isOld }: MessageRow): boolean =>
        isOld === 1 && status !== 'pending' && seq < newest && !kept.has(id);
      const slice = cutByBytes(rows, mayGo);
      const seqs = slice.filter(mayGo).map(({ seq }) => seq);
      removeAll(statements, 'DELETE FROM messages_in WHERE seq = ?', seqs);
      const wasCut = slice.length < rows.length;
      // Rows that wait for their time may stand before much that is old.
      const isPassable = rows.every(({ status }) => status === 'pending');
      const next = wasCut ? slice.at(-1)?.seq : nextAfter(rows, request.limit, isPassable);
      return { removed: seqs.length, next };
    });
  }

  /** Context that no turn will read any more, `limit` rows at the most. Returns how many. */
  cancelSurplusContext(limit: number): number {
    return this.#file.write((statements) => cancelSurplusContext(statements, limit));
  }

  /** Final rows of `delivered` that are old; they may go when outbound.db does not have their messages any more. */
  listOldDeliveries(request: SliceRequest): {
    readonly old: readonly OldDelivery[];
    readonly next: number | undefined;
  } {
    return this.#file.read((statements) => {
      const rows = statements
        .prepare<[string, number, number], OldDelivery & { isOld: 0 | 1 }>(
          `SELECT rowid AS seq, message_out_id AS messageOutId,
                  status IN ('delivered', 'failed') AND delivered_at < ? AS isOld
           FROM delivered WHERE rowid > ? ORDER BY rowid LIMIT ?`,
        )
        .all(request.cutoff, request.after, request.limit);
      const old = rows.filter(({ isOld }) => isOld === 1);
      return { old, next: nextAfter(rows, request.limit) };
    });
  }

  forgetDeliveries(deliveries: readonly OldDelivery[]): void {
    this.#file.write((statements) => {
      const seqs = deliveries.map(({ seq }) => seq);
      removeAll(statements, 'DELETE FROM delivered WHERE rowid = ?', seqs);
    });
  }

  /** Of the named messages those that are not done with: their files are still needed. */
  findUnfinished(messageIds: readonly string[]): ReadonlySet<string> {
    return this.#file.read((statements) => {
      const ids = statements
        .pluck<[string], string>(
          `SELECT id FROM messages_in
           WHERE id IN (SELECT value FROM json_each(?)) AND status IN ('pending', 'context')`,
        )
        .all(JSON.stringify(messageIds));
      return new Set(ids);
    });
  }

  /** Of the named messages_out rows those whose outcome is final. */
  findSettledOut(messageOutIds: readonly string[]): ReadonlySet<string> {
    return this.#file.read((statements) => {
      const ids = statements
        .pluck<[string], string>(
          `SELECT message_out_id FROM delivered
           WHERE message_out_id IN (SELECT value FROM json_each(?)) AND status IN ('delivered', 'failed')`,
        )
        .all(JSON.stringify(messageOutIds));
      return new Set(ids);
    });
  }
}

/** As many rows as free no more than maxSliceBytes, but one that does. */
function cutByBytes(
  rows: readonly MessageRow[],
  mayGo: (row: MessageRow) => boolean,
): readonly MessageRow[] {
  let bytes = 0;
  const end = rows.findIndex((row, index) => {
    bytes += mayGo(row) ? row.bytes : 0;
    return index > 0 && bytes > maxSliceBytes;
  });
  return end === -1 ? rows : rows.slice(0, end);
}

/** A single old row in a whole slice is enough to go on: rows are in about the order of their times. */
function nextAfter(
  rows: readonly { readonly seq: number; readonly isOld: 0 | 1 }[],
  limit: number,
  isPassable = false,
): number | undefined {
  const hasMore = rows.length === limit && (isPassable || rows.some(({ isOld }) => isOld === 1));
  return hasMore ? rows.at(-1)?.seq : undefined;
}

function removeAll(statements: StatementCache, sql: string, keys: readonly number[]): void {
  const statement = statements.prepare<[number], never>(sql);
  for (const key of keys) statement.run(key);
}
