/** Makes a fresh inbound.db from what can still be read of a damaged one; the host's, like InboundWriter. */
import { isoAt } from '../../../../shared/base/clock.js';
import { migrateByVersion, type Migration } from '../../../../shared/base/sqlite/migrate.js';
import { openDatabase, withDatabase, type Db } from '../../../../shared/base/sqlite/sqlite.js';
import type { NewInboundRow } from '../../../../shared/protocol/mailbox/inbound-rows.js';
import type {
  Address,
  DeliveryStatus,
  InboundStatus,
} from '../../../../shared/protocol/session-message.js';
import { salvageTable } from './table-salvage.js';

export interface InboundSalvage {
  /** Every message that could be read, by id. */
  readonly messages: ReadonlyMap<string, InboundStatus>;
  /** Where the session's replies went last, as far as that could be read. */
  readonly routing: Address | undefined;
  /** Every row of `delivered` could be read: what is not in there was not sent. */
  readonly hasAllDeliveries: boolean;
  readonly isComplete: boolean;
}

/** A row that takes the place of one that is gone, or what has become of a reply. */
export interface InboundAmendment {
  readonly messages: readonly (Omit<NewInboundRow, 'status'> & { status: InboundStatus })[];
  readonly deliveries: readonly { messageOutId: string; status: DeliveryStatus }[];
  readonly outboundMaxSeq: number;
  readonly nowMs: number;
}

const statuses: readonly InboundStatus[] = [
  'pending',
  'context',
  'completed',
  'failed',
  'cancelled',
];

/** `source`: a copy of the damaged file, if there is any. */
export async function rebuildInbound(
  source: string | undefined,
  target: string,
  migrations: readonly Migration[],
): Promise<InboundSalvage> {
  const fresh = openDatabase(target, { mode: 'create', busyTimeoutMs: 0 });
  try {
    fresh.pragma('synchronous = OFF');
    migrateByVersion(fresh, migrations);
    const damaged = source === undefined ? undefined : openToRead(source);
    if (damaged === undefined) return nothing;
    try {
      fresh.exec('BEGIN');
      const salvage = await salvageInto(fresh, damaged);
      fresh.exec('COMMIT');
      return salvage;
    } finally {
      damaged.close();
    }
  } finally {
    fresh.close();
  }
}

/** Adds to a file that rebuildInbound has made. */
export function amendInbound(path: string, amendment: InboundAmendment): void {
  withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
    db.pragma('synchronous = OFF');
    db.transaction(() => {
      addMessages(db, amendment);
      const deliver = db.prepare(
        `INSERT INTO delivered (message_out_id, platform_message_id, status, delivered_at)
         VALUES (?, NULL, ?, ?) ON CONFLICT DO NOTHING`,
      );
      const now = isoAt(amendment.nowMs);
      for (const { messageOutId, status } of amendment.deliveries) {
        deliver.run(messageOutId, status, now);
      }
    })();
  });
}

/** Of the named messages_out rows those whose outcome is noted. */
export function findDelivered(path: string, messageOutIds: readonly string[]): ReadonlySet<string> {
  return withDatabase(path, { mode: 'read', busyTimeoutMs: 0 }, (db) => {
    const select = db.prepare('SELECT 1 FROM delivered WHERE message_out_id = ?');
    return new Set(messageOutIds.filter((id) => select.get(id) !== undefined));
  });
}

const nothing: InboundSalvage = {
  messages: new Map(),
  routing: undefined,
  hasAllDeliveries: false,
  isComplete: false,
};

async function salvageInto(fresh: Db, damaged: Db): Promise<InboundSalvage> {
  const found = new Map<string, InboundStatus>();
  const insertMessage = fresh.prepare(insertMessageSql);
  let unfit = 0;
  const messages = await salvageTable(damaged, messagesIn, (row) => {
    const status = statuses.find((one) => one === row['status']);
    if (status === undefined || insertMessage.run(row).changes === 0) unfit += 1;
    else found.set(String(row['id']), status);
  });
  const insertDelivery = fresh.prepare(insertDeliverySql);
  const deliveries = await salvageTable(damaged, delivered, (row) => insertDelivery.run(row));
  return {
    messages: found,
    routing: findRouting(damaged),
    hasAllDeliveries: deliveries.isComplete,
    isComplete: messages.isComplete && deliveries.isComplete && unfit === 0,
  };
}

function findRouting(damaged: Db): Address | undefined {
  try {
    return damaged
      .prepare<[], Address>(
        `SELECT channel_type AS channelType, platform_id AS platformId, thread_id AS threadId
         FROM session_routing WHERE id = 1 AND typeof(channel_type) = 'text' AND typeof(platform_id) = 'text'`,
      )
      .get();
  } catch {
    return undefined;
  }
}

/** Undefined where nothing of it can be read. */
function openToRead(path: string): Db | undefined {
  let db: Db | undefined;
  try {
    db = openDatabase(path, { mode: 'read', busyTimeoutMs: 0 });
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return db;
  } catch {
    db?.close();
    return undefined;
  }
}

function addMessages(db: Db, { messages, outboundMaxSeq }: InboundAmendment): void {
  const max = Number(db.prepare('SELECT coalesce(max(seq), 0) FROM messages_in').pluck().get());
  let seq = Math.max(max, outboundMaxSeq);
  const insert = db.prepare(insertMessageSql);
  for (const { address, ...row } of messages) {
    seq += 2 - (seq % 2);
    insert.run({ ...row, seq, tries: 0, ...(address ?? noAddress) });
  }
}

const noAddress: { [K in keyof Address]: null } = {
  channelType: null,
  platformId: null,
  threadId: null,
};

const messagesIn = {
  table: 'messages_in',
  index: 'sqlite_autoindex_messages_in_2',
  where: `typeof(id) = 'text' AND typeof(seq) = 'integer' AND typeof(content) = 'text' AND typeof(tries) = 'integer'
    AND seq BETWEEN 0 AND ${2 ** 50} AND kind IS NOT NULL AND timestamp IS NOT NULL`,
  columns: `id, seq, CAST(kind AS TEXT) AS kind, CAST(timestamp AS TEXT) AS timestamp, status,
    CAST(process_after AS TEXT) AS processAfter, CAST(recurrence AS TEXT) AS recurrence, tries,
    CAST(platform_id AS TEXT) AS platformId, CAST(channel_type AS TEXT) AS channelType,
    CAST(thread_id AS TEXT) AS threadId, content`,
};

const insertMessageSql = `INSERT INTO messages_in (id, seq, kind, timestamp, status, process_after, recurrence, tries,
    platform_id, channel_type, thread_id, content)
  VALUES (@id, @seq, @kind, @timestamp, @status, @processAfter, @recurrence, @tries,
    @platformId, @channelType, @threadId, @content) ON CONFLICT DO NOTHING`;

const delivered = {
  table: 'delivered',
  index: 'sqlite_autoindex_delivered_1',
  where: `typeof(message_out_id) = 'text' AND status IN ('sending', 'delivered', 'failed') AND delivered_at IS NOT NULL`,
  columns: `message_out_id AS messageOutId, CAST(platform_message_id AS TEXT) AS platformMessageId, status,
    CAST(delivered_at AS TEXT) AS deliveredAt`,
};

const insertDeliverySql = `INSERT INTO delivered (message_out_id, platform_message_id, status, delivered_at)
  VALUES (@messageOutId, @platformMessageId, @status, @deliveredAt) ON CONFLICT DO NOTHING`;
