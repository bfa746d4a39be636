/** Settling a session writes into inbound.db: outcomes of sends, outcomes of messages, and the next runs of tasks. */
import { isoAt } from '../../base/clock.js';
import type { StatementCache } from '../../base/sqlite/statement-cache.js';
import type { NewDeliveryRecord, OpenInbound } from './inbound-rows.js';

/** The next run of a recurring task: the row of the last one, at another time. */
export interface FollowingRow {
  /** The id of the last one. */
  readonly of: string;
  readonly id: string;
  /** ISO-8601. */
  readonly scheduledAt: string;
}

/** The outcome of a messages_in row. */
export type InboundOutcome =
  | { readonly id: string; readonly status: 'completed' | 'failed' | 'cancelled' }
  /** Another try, not before the given time (ISO-8601). */
  | { readonly id: string; readonly status: 'retry'; readonly processAfter: string }
  /** Its next run takes its place. */
  | { readonly id: string; readonly status: 'moved' }
  /** The same try, at another time (ISO-8601). */
  | { readonly id: string; readonly status: 'reschedule'; readonly processAfter: string };

/** The part of a row that counts when something is decided about it. */
export type SeenRow = Pick<OpenInbound, 'id' | 'status' | 'tries'>;

/** An outcome, and the row as it was when that was decided: a row that has changed since is left alone. */
export interface DecidedOutcome {
  readonly seen: SeenRow;
  readonly outcome: InboundOutcome;
}

/** All that one pass over a session's outbound.db has brought, for one transaction. */
export interface InboundSettlement {
  readonly deliveries: readonly NewDeliveryRecord[];
  /** Sends that were begun and did not happen; they will be tried again. */
  readonly forget: readonly string[];
  readonly outcomes: readonly DecidedOutcome[];
  readonly following: readonly FollowingRow[];
  /** As in AppendRequest. */
  readonly outboundMaxSeq: number;
  readonly nowMs: number;
}

export function writeDeliveries(
  statements: StatementCache,
  records: readonly NewDeliveryRecord[],
  forget: readonly string[],
  nowMs: number,
): void {
  const upsert = statements.prepare(
    `INSERT INTO delivered (message_out_id, platform_message_id, status, delivered_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (message_out_id) DO UPDATE SET
       platform_message_id = excluded.platform_message_id, status = excluded.status,
       delivered_at = excluded.delivered_at
     WHERE status = 'sending'`,
  );
  for (const record of records) {
    upsert.run(record.messageOutId, record.platformMessageId, record.status, isoAt(nowMs));
  }
  const remove = statements.prepare(
    `DELETE FROM delivered WHERE message_out_id = ? AND status = 'sending'`,
  );
  for (const id of forget) remove.run(id);
}

/** Of the row as it was seen only. */
export function writeOutcome(statements: StatementCache, { seen, outcome }: DecidedOutcome): void {
  const isAsSeen = 'id = @id AND status = @status AND tries = @tries';
  const row = { id: seen.id, status: seen.status, tries: seen.tries };
  switch (outcome.status) {
    case 'retry':
      statements
        .prepare(
          `UPDATE messages_in SET tries = tries + 1, process_after = @after WHERE ${isAsSeen}`,
        )
        .run({ ...row, after: outcome.processAfter });
      return;
    case 'reschedule':
      statements
        .prepare(`UPDATE messages_in SET process_after = @after WHERE ${isAsSeen}`)
        .run({ ...row, after: outcome.processAfter });
      return;
    case 'moved':
    case 'completed':
    case 'failed':
    case 'cancelled':
      statements
        .prepare(`UPDATE messages_in SET status = @next WHERE ${isAsSeen}`)
        .run({ ...row, next: outcome.status === 'moved' ? 'cancelled' : outcome.status });
  }
}

/** How far a runner's numbers may run ahead between two rows of the host: millions of replies to one message. */
const longestLead = 2 ** 24;

/** Host seqs are even, and greater than every seq in both files. */
export function nextEvenSeq(statements: StatementCache, outboundMaxSeq: number): number {
  const found = statements.pluck('SELECT coalesce(max(seq), 0) FROM messages_in').get();
  const inboundMaxSeq = Number(found);
  // The container's word: it must not use up all numbers there are.
  const max = Math.max(inboundMaxSeq, Math.min(outboundMaxSeq, inboundMaxSeq + longestLead));
  return max + 2 - (max % 2);
}

export function appendFollowing(
  statements: StatementCache,
  row: FollowingRow,
  outboundMaxSeq: number,
): void {
  const { of, id, scheduledAt } = row;
  const insert = statements.prepare(
    `INSERT INTO messages_in (id, seq, kind, timestamp, process_after, recurrence,
                              platform_id, channel_type, thread_id, content)
     SELECT @id, @seq, kind, @scheduledAt, @scheduledAt, recurrence, platform_id, channel_type, thread_id, content
     FROM messages_in WHERE id = @of ON CONFLICT (id) DO NOTHING`,
  );
  insert.run({ of, id, scheduledAt, seq: nextEvenSeq(statements, outboundMaxSeq) });
}
