/**
 * The host's half of inbound.db, its only writer. It never waits for a lock: a locked file throws database_busy, and
 * the caller tries again without holding up other sessions.
 */
import { isoAt } from '../base/clock.js';
import type { Statements } from '../base/sqlite.js';
import type { InboundHandle } from './inbound-handle.js';
import { writeDestinations, writeRouting } from './inbound-projection.js';
import type {
  Address,
  DeliveryStatus,
  Destination,
  InboundStatus,
  MessageKind,
} from './session-message.js';
import { cancelSurplusContext } from './surplus-context.js';
import { taskIdOf } from './task-run-id.js';

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

/** What became of one messages_out row. */
export type NewDeliveryRecord = DeliveryRecord & { readonly messageOutId: string };

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
  /** Where it came from, and so where a failure is told. */
  readonly address: Address | null;
}

/** What stands in a row when something is decided about it. */
export type SeenRow = Pick<OpenInbound, 'id' | 'status' | 'tries'>;

/** An outcome, and the row as it was when that was decided: a row that has changed since is left alone. */
export interface DecidedOutcome {
  readonly seen: SeenRow;
  readonly outcome: InboundOutcome;
}

/** What one look at a session's outbound.db has brought, for one transaction. */
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

export interface CancelRequest {
  readonly taskId: string;
  /** ISO-8601: what is due until then may have begun; undefined: nothing has. */
  readonly begunBefore: string | undefined;
  readonly refusesBegun: boolean;
}

/** As the columns of OpenInbound; `channelType` and `platformId` are null together. */
type OpenRow = Omit<OpenInbound, 'address'> & AddressColumns;

interface AddressColumns {
  readonly channelType: string | null;
  readonly platformId: string | null;
  readonly threadId: string | null;
}

export class InboundWriter {
  readonly #file: InboundHandle;

  constructor(file: InboundHandle) {
    this.#file = file;
  }

  /** Appends in one transaction. Returns the ids that were new: an id that is there already is left as it is. */
  append(request: AppendRequest): readonly string[] {
    return this.#file.write((statements) => {
      let seq = nextEvenSeq(statements, request.outboundMaxSeq);
      const insert = statements.prepare(
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
      if (request.routing !== undefined) writeRouting(statements, request.routing);
      if (request.destinations !== undefined) writeDestinations(statements, request.destinations);
      const contextCount = request.rows.filter(({ status }) => status === 'context').length;
      if (contextCount > 0) cancelSurplusContext(statements, contextCount + 1);
      return added;
    });
  }

  /** Replaces what the agent may send to and where its replies go; writes only what differs. */
  project(projection: { routing?: Address; destinations?: readonly Destination[] }): void {
    this.#file.write((statements) => {
      if (projection.routing !== undefined) writeRouting(statements, projection.routing);
      if (projection.destinations !== undefined) {
        writeDestinations(statements, projection.destinations);
      }
    });
  }

  /** Rows that are not final, oldest first. */
  listOpen(): readonly OpenInbound[] {
    return this.#file.read(listOpenRows);
  }

  /**
   * Notes what became of sends, copies final acks into messages_in.status, puts back what is to be tried again, and
   * writes the next runs of tasks; all or nothing. A run that is there already is left as it is. Returns the rows that
   * are open afterwards.
   */
  settle(settlement: InboundSettlement): readonly OpenInbound[] {
    const { deliveries, forget, outcomes, following, outboundMaxSeq, nowMs } = settlement;
    const isNothing = [deliveries, forget, outcomes, following].every(({ length }) => length === 0);
    if (isNothing) return this.listOpen();
    return this.#file.write((statements) => {
      writeDeliveries(statements, deliveries, forget, nowMs);
      for (const decided of outcomes) writeOutcome(statements, decided);
      for (const row of following) appendFollowing(statements, row, outboundMaxSeq);
      return listOpenRows(statements);
    });
  }

  /**
   * Takes a task back: a run that has begun ends its series only, others are not run at all. `kept`: nothing was
   * changed, because a run has begun and `refusesBegun` is given.
   */
  cancelTask({ taskId, begunBefore, refusesBegun }: CancelRequest): 'all' | 'series' | 'kept' {
    return this.#file.write((statements) => {
      const runs = listOpenRows(statements).filter((row) => taskIdOf(row) === taskId);
      const isBegun = ({ processAfter }: OpenInbound): boolean =>
        begunBefore !== undefined && (processAfter ?? '') <= begunBefore;
      const hasBegun = runs.some(isBegun);
      if (hasBegun && refusesBegun) return 'kept';
      for (const run of runs) {
        const sql = isBegun(run)
          ? 'UPDATE messages_in SET recurrence = NULL WHERE id = ?'
          : `UPDATE messages_in SET status = 'cancelled' WHERE id = ? AND status = 'pending'`;
        statements.prepare(sql).run(run.id);
      }
      return hasBegun ? 'series' : 'all';
    });
  }

  /** Something was answered, or sent: then there was an outbound.db. */
  hasHistory(): boolean {
    return this.#file.read((statements) => {
      const found = statements
        .pluck(
          `SELECT EXISTS (SELECT 1 FROM delivered) OR EXISTS (SELECT 1 FROM messages_in WHERE status = 'completed')`,
        )
        .get();
      return found === 1;
    });
  }

  findStatus(messageId: string): InboundStatus | undefined {
    return this.#file.read((statements) =>
      statements
        .pluck<[string], InboundStatus>('SELECT status FROM messages_in WHERE id = ?')
        .get(messageId),
    );
  }

  /** What messages say, by id; left out where that cannot be read. */
  findTexts(messageIds: readonly string[]): ReadonlyMap<string, string> {
    return this.#file.read((statements) => {
      const select = statements.pluck<[string], string | null>(
        `SELECT CAST(content ->> 'text' AS TEXT) FROM messages_in WHERE id = ? AND json_valid(content)`,
      );
      const found = new Map<string, string>();
      for (const id of messageIds) {
        const text = select.get(id);
        if (typeof text === 'string') found.set(id, text);
      }
      return found;
    });
  }

  /** Where messages came from, and so where a failure is told; in the order of the ids. */
  findAddresses(messageIds: readonly string[]): ReadonlyMap<string, Address> {
    return this.#file.read((statements) => {
      const select = statements.prepare<[string], AddressColumns>(
        `SELECT channel_type AS channelType, platform_id AS platformId, thread_id AS threadId
         FROM messages_in WHERE id = ?`,
      );
      const found = new Map<string, Address>();
      for (const id of messageIds) {
        const row = select.get(id);
        const address = row === undefined ? null : addressOf(row);
        if (address !== null) found.set(id, address);
      }
      return found;
    });
  }

  findDeliveries(messageOutIds: readonly string[]): ReadonlyMap<string, DeliveryRecord> {
    return this.#file.read((statements) => {
      const select = statements.prepare<[string], DeliveryRecord>(
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
   * happen, and will be tried again. An outcome that is final stays.
   */
  recordDeliveries(
    records: readonly NewDeliveryRecord[],
    forget: readonly string[],
    nowMs: number,
  ): void {
    if (records.length + forget.length === 0) return;
    this.#file.write((statements) => {
      writeDeliveries(statements, records, forget, nowMs);
    });
  }
}

function listOpenRows(statements: Statements): readonly OpenInbound[] {
  return statements
    .prepare<[], OpenRow>(
      `SELECT id, seq, status, tries, process_after AS processAfter, kind, timestamp, recurrence,
              CASE WHEN recurrence IS NOT NULL AND json_valid(content)
                   THEN CAST(content ->> 'timeZone' AS TEXT) END AS timeZone,
              channel_type AS channelType, platform_id AS platformId, thread_id AS threadId
       FROM messages_in
       WHERE status IN ('pending', 'context') ORDER BY seq`,
    )
    .all()
    .map(({ channelType, platformId, threadId, ...row }) => ({
      ...row,
      address: addressOf({ channelType, platformId, threadId }),
    }));
}

function addressOf({ channelType, platformId, threadId }: AddressColumns): Address | null {
  return channelType === null || platformId === null ? null : { channelType, platformId, threadId };
}

function writeDeliveries(
  statements: Statements,
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
function writeOutcome(statements: Statements, { seen, outcome }: DecidedOutcome): void {
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
    case 'hasten':
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
function nextEvenSeq(statements: Statements, outboundMaxSeq: number): number {
  const found = statements.pluck('SELECT coalesce(max(seq), 0) FROM messages_in').get();
  const inboundMaxSeq = Number(found);
  // The container's word: it must not use up all numbers there are.
  const max = Math.max(inboundMaxSeq, Math.min(outboundMaxSeq, inboundMaxSeq + longestLead));
  return max + 2 - (max % 2);
}

function appendFollowing(statements: Statements, row: FollowingRow, outboundMaxSeq: number): void {
  const { of, id, scheduledAt } = row;
  const insert = statements.prepare(
    `INSERT INTO messages_in (id, seq, kind, timestamp, process_after, recurrence,
                              platform_id, channel_type, thread_id, content)
     SELECT @id, @seq, kind, @scheduledAt, @scheduledAt, recurrence, platform_id, channel_type, thread_id, content
     FROM messages_in WHERE id = @of ON CONFLICT (id) DO NOTHING`,
  );
  insert.run({ of, id, scheduledAt, seq: nextEvenSeq(statements, outboundMaxSeq) });
}
