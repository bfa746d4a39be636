/**
 * The host's half of inbound.db, its only writer. The writer never waits for a lock: a locked file throws
 * database_busy, and the caller tries again without holding up other sessions.
 */
import type { StatementCache } from '../../base/sqlite/statement-cache.js';
import type { InboundHandle } from './inbound-handle.js';
import type {
  NewInboundRow,
  DeliveryRecord,
  NewDeliveryRecord,
  OpenInbound,
} from './inbound-rows.js';
import { writeDestinations, writeRouting } from './inbound-projection.js';
import type { Address, Destination, InboundStatus } from '../session-message.js';
import {
  appendFollowing,
  nextEvenSeq,
  writeDeliveries,
  writeOutcome,
  type InboundSettlement,
} from './inbound-settlement.js';
import { cancelSurplusContext } from './surplus-context.js';
import { taskIdOf } from '../task-run-id.js';

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

  /** The texts of messages, by id; left out where that cannot be read. */
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

  /** The addresses that messages came from, where a failure is told too; in the order of the ids. */
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
   * happen, and will be tried again. An outcome that is final stays. Returns the rows that are open, where they are wanted.
   */
  recordDeliveries(
    records: readonly NewDeliveryRecord[],
    forget: readonly string[],
    nowMs: number,
    wantsOpen = false,
  ): readonly OpenInbound[] {
    return this.#file.write((statements) => {
      writeDeliveries(statements, records, forget, nowMs);
      return wantsOpen ? listOpenRows(statements) : [];
    });
  }
}

function listOpenRows(statements: StatementCache): readonly OpenInbound[] {
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
