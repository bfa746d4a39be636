/**
 * The one exception to "one writer per file": when a session's container has ended for certain, the host may open
 * outbound.db read-write once, to let SQLite roll back the journal of a killed writer, or to make a fresh file of what
 * a damaged one still tells. It does so on a private copy, which no container can reach; nobody else uses this file.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { BerthError } from '../../../../shared/base/errors.js';
import { migrateByVersion, type Migration } from '../../../../shared/base/sqlite/migrate.js';
import { openDatabase, withDatabase, type Db } from '../../../../shared/base/sqlite/sqlite.js';
import { StatementCache } from '../../../../shared/base/sqlite/statement-cache.js';
import { parseOutboundMessage } from '../../../../shared/protocol/outbound-message.js';
import { isRecordable, shortText } from '../../../../shared/protocol/mailbox/outbound-columns.js';
import { isAckStatus } from '../../../../shared/protocol/mailbox/outbound-reader.js';
import { hasOurTables } from '../../../../shared/protocol/mailbox/outbound-schema.js';
import { assertNotHostile } from '../../../../shared/protocol/mailbox/hostile-file.js';
import { maxContentBytes } from '../../../../shared/protocol/limits.js';
import { salvageTable } from './table-salvage.js';

export interface OutboundSalvage {
  /** How many messages_out rows were taken over. */
  readonly rowCount: number;
  /** How many rows were left out because they are no messages. */
  readonly rubbishCount: number;
  /** Whatever is not acked there was not acked. */
  readonly hasAllAcks: boolean;
  readonly isComplete: boolean;
}

const nothing: OutboundSalvage = {
  rowCount: 0,
  rubbishCount: 0,
  isComplete: false,
  hasAllAcks: false,
};

/** A reply may be damaged, and is told of as such; a file may also be full of rubbish, for which it is replaced. */
const keptRubbish = 20;

/** The end of a journal that names another file, which SQLite would read and delete. Source: sqlite.org/fileformat.html. */
const superJournalMagic = 'd9d505f920a163d7';

/**
 * Rolls back the journal beside a private copy of outbound.db. Throws database_corrupt where that cannot be done well,
 * or where the journal names another file: runners make no such journal.
 */
export function rollBackCopy(copyPath: string, maxBytes: number): void {
  assertNamesNoFile(`${copyPath}-journal`);
  assertNotHostile(copyPath);
  withDatabase(copyPath, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
    // The caller brings it to disk, without holding up the thread.
    db.pragma('synchronous = OFF');
    if (!hasOurTables({ db, statements: new StatementCache(db) }))
      throw broken(copyPath, 'it is empty');
  });
  // A journal may claim that the file was larger than it ever was.
  if (statSync(copyPath).size > maxBytes) throw broken(copyPath, 'it is too large');
}

function assertNamesNoFile(journalPath: string): void {
  const fd = openSync(journalPath, 'r');
  try {
    const { size } = fstatSync(fd);
    const magic = Buffer.alloc(8);
    if (size < magic.length) return;
    readSync(fd, magic, 0, magic.length, size - magic.length);
    if (magic.toString('hex') === superJournalMagic) throw broken(journalPath, 'it names a file');
  } finally {
    closeSync(fd);
  }
}

/**
 * Makes a fresh outbound.db at `target` from what can be read of a private copy of the damaged one, if there is any.
 * `open`: messages whose end has not been noted in inbound.db: such a message counts as done only if its reply is there,
 * since a damaged tree may hide rows without a sign.
 */
export async function rebuildOutbound(
  source: string | undefined,
  target: string,
  migrations: readonly Migration[],
  open: ReadonlySet<string>,
): Promise<OutboundSalvage> {
  const fresh = openDatabase(target, { mode: 'create', busyTimeoutMs: 0 });
  try {
    fresh.pragma('synchronous = OFF');
    migrateByVersion(fresh, migrations);
    fresh.exec('BEGIN');
    const salvage = await salvageInto(fresh, source, open);
    fresh.exec('COMMIT');
    return salvage;
  } finally {
    fresh.close();
  }
}

async function salvageInto(
  fresh: Db,
  source: string | undefined,
  open: ReadonlySet<string>,
): Promise<OutboundSalvage> {
  const damaged = source === undefined ? undefined : openToRead(source);
  if (damaged === undefined) return nothing;
  try {
    const answered = new Set<unknown>();
    const insertRow = inserter(fresh, insertMessage);
    let rubbish = 0;
    const rows = await salvageTable(damaged, messagesOut, (row) => {
      answered.add(row['inReplyTo']);
      const isRubbish = !isMessage(row);
      if (isRubbish) rubbish += 1;
      if (!isRubbish || rubbish <= keptRubbish) insertRow(row);
    });
    const state = await salvageTable(damaged, sessionState, inserter(fresh, insertState));
    const insertAck = inserter(fresh, insertAckSql);
    let doubtful = 0;
    const acks = await salvageTable(damaged, processingAck, (row) => {
      const { status, messageId } = row;
      const lacksReply =
        status === 'completed' && open.has(String(messageId)) && !answered.has(messageId);
      if (isAckStatus(status) && !lacksReply) insertAck(row);
      else doubtful += 1;
    });
    const hasAllAcks = acks.isComplete && doubtful === 0;
    const isComplete = rows.isComplete && state.isComplete && hasAllAcks;
    const rubbishCount = Math.max(0, rubbish - keptRubbish);
    return { rowCount: rows.count - rubbishCount, rubbishCount, isComplete, hasAllAcks };
  } finally {
    damaged.close();
  }
}

/** Whether delivery would take it for one. */
function isMessage({ kind, content, deliverAfter, recurrence }: Readonly<Record<string, unknown>>) {
  const { kind: found } = parseOutboundMessage({
    kind: String(kind),
    content: String(content),
    deliverAfter: typeof deliverAfter === 'string' ? deliverAfter : null,
    recurs: typeof recurrence === 'string' && recurrence !== '' ? 1 : 0,
  });
  return found === 'message' || found === 'action';
}

/** Undefined where nothing of it can be read. */
function openToRead(path: string): Db | undefined {
  let db: Db | undefined;
  try {
    assertNotHostile(path);
    db = openDatabase(path, { mode: 'read', busyTimeoutMs: 0 });
    if (hasOurTables({ db, statements: new StatementCache(db) })) return db;
  } catch {
    // What is wrong with it is why we are here.
  }
  db?.close();
  return undefined;
}

function inserter(db: Db, sql: string): (row: Readonly<Record<string, unknown>>) => void {
  const insert = db.prepare(sql);
  return (row) => insert.run(row);
}

function broken(path: string, why: string): BerthError {
  return new BerthError('database_corrupt', `${path} cannot be rolled back: ${why}.`, {
    facts: { path },
  });
}

function content(column: string): string {
  return `CASE WHEN octet_length(${column}) <= ${maxContentBytes} THEN CAST(${column} AS TEXT) END`;
}

function isKey(column: string): string {
  return `${shortText(column)} IS NOT NULL`;
}

const messagesOut = {
  table: 'messages_out',
  index: 'sqlite_autoindex_messages_out_2',
  where: isRecordable,
  columns: `${shortText('id')} AS id, seq, ${shortText('in_reply_to')} AS inReplyTo,
    coalesce(${shortText('timestamp')}, '') AS timestamp, ${shortText('deliver_after')} AS deliverAfter,
    ${shortText('recurrence')} AS recurrence, coalesce(${shortText('kind')}, '') AS kind,
    ${shortText('platform_id')} AS platformId, ${shortText('channel_type')} AS channelType,
    ${shortText('thread_id')} AS threadId, coalesce(${content('content')}, '') AS content`,
};

const insertMessage = `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, deliver_after, recurrence, kind,
    platform_id, channel_type, thread_id, content)
  VALUES (@id, @seq, @inReplyTo, @timestamp, @deliverAfter, @recurrence, @kind,
    @platformId, @channelType, @threadId, @content) ON CONFLICT DO NOTHING`;

const processingAck = {
  table: 'processing_ack',
  index: 'sqlite_autoindex_processing_ack_1',
  where: isKey('message_id'),
  columns: `${shortText('message_id')} AS messageId, ${shortText('status')} AS status,
    coalesce(${shortText('status_changed')}, '') AS statusChanged`,
};

const insertAckSql = `INSERT INTO processing_ack (message_id, status, status_changed)
  VALUES (@messageId, @status, @statusChanged) ON CONFLICT DO NOTHING`;

const sessionState = {
  table: 'session_state',
  index: 'sqlite_autoindex_session_state_1',
  where: isKey('key'),
  columns: `${shortText('key')} AS key, coalesce(${content('value')}, '') AS value,
    coalesce(${shortText('updated_at')}, '') AS updatedAt`,
};

const insertState = `INSERT INTO session_state (key, value, updated_at)
  VALUES (@key, @value, @updatedAt) ON CONFLICT DO NOTHING`;
