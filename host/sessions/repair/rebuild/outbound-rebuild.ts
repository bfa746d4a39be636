/**
 * Copies into a fresh outbound.db what can be read of a damaged one. The host may do this when a session's container has ended for
 * certain: it is the one exception to "one writer for each file". A runner's journal is rolled back in the copy.
 */
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { withDatabase, type Db } from '../../../../shared/base/sqlite/sqlite.js';
import { StatementCache } from '../../../../shared/base/sqlite/statement-cache.js';
import { isRecordable } from '../../../../shared/protocol/mailbox/outbound-columns.js';
import { isAckStatus } from '../../../../shared/protocol/mailbox/outbound-acks.js';
import { hasOurTables, notOurs } from '../../../../shared/protocol/mailbox/outbound-schema.js';
import { assertNotHostile } from '../../../../shared/protocol/mailbox/hostile-file.js';
import { parseOutboundMessage } from '../../../../shared/protocol/outbound-message.js';
import {
  assertNoShortage,
  copyTable,
  rebuildFile,
  type RebuildRequest,
  type Salvage,
} from './fresh-file.js';

/** Of either file: far beyond what a conversation is. */
export const maxDbBytes = 1024 ** 3;

/** A malformed reply is told of as such; a file may also be full of them, for which it is replaced. */
const keptMalformed = 20;

/** The end of a journal that names another file, which SQLite would read and delete. Source: sqlite.org/fileformat.html. */
const superJournalMagic = Buffer.from('d9d505f920a163d7', 'hex');

export function rebuildOutbound(request: RebuildRequest): Salvage {
  const { copy, draft } = request;
  if (copy !== null && rollBack(copy)) {
    renameSync(copy, draft);
    return rolledBack;
  }
  return rebuildFile(request, 'read', copyRows);
}

const rolledBack: Salvage = {
  isRolledBack: true,
  messageCount: 0,
  malformedCount: 0,
  hasAllOutcomes: true,
  isComplete: true,
};

/** False where there is no journal, or none that can be used: what is left of it must not get in the way of reading. */
function rollBack(copy: string): boolean {
  const journal = `${copy}-journal`;
  if (!existsSync(journal)) return false;
  try {
    if (namesFile(journal)) return false;
    withDatabase(copy, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.pragma('synchronous = OFF');
      assertOurs(db);
    });
    // A journal may claim that the file was larger than it ever was.
    return statSync(copy).size <= maxDbBytes;
  } catch (error) {
    assertNoShortage(error, copy);
    return false;
  } finally {
    rmSync(journal, { force: true });
  }
}

function namesFile(journal: string): boolean {
  return readFileSync(journal).subarray(-superJournalMagic.length).equals(superJournalMagic);
}

/** Throws database_corrupt or database_unreadable. */
function assertOurs(db: Db): void {
  assertNotHostile(db.name);
  if (!hasOurTables({ db, statements: new StatementCache(db) })) throw notOurs(db);
}

function copyRows(damaged: Db, fresh: Db): Salvage {
  assertOurs(damaged);
  const answered = new Set<unknown>();
  let malformed = 0;
  const messages = copyTable(damaged, fresh, 'messages_out', isRecordable, (row) => {
    answered.add(row['in_reply_to']);
    if (isMessage(row)) return true;
    malformed += 1;
    return malformed <= keptMalformed;
  });
  const state = copyTable(damaged, fresh, 'session_state', `typeof(key) = 'text'`);
  // Where replies are missing, a message counts as done only if its reply is there.
  const isBelieved = ({ status, message_id: id }: Readonly<Record<string, unknown>>): boolean =>
    isAckStatus(status) && (status !== 'completed' || messages.isComplete || answered.has(id));
  const isKeyed = `typeof(message_id) = 'text'`;
  const acks = copyTable(damaged, fresh, 'processing_ack', isKeyed, isBelieved);
  const hasAllOutcomes = acks.isComplete && acks.refusedCount === 0;
  return {
    isRolledBack: false,
    messageCount: messages.count,
    malformedCount: messages.refusedCount,
    hasAllOutcomes,
    isComplete: messages.isComplete && state.isComplete && hasAllOutcomes,
  };
}

/** Whether delivery would take it for one. */
function isMessage(row: Readonly<Record<string, unknown>>): boolean {
  const { kind, content, deliver_after: deliverAfter, recurrence } = row;
  const parsed = parseOutboundMessage({
    kind: String(kind),
    content: String(content),
    deliverAfter: typeof deliverAfter === 'string' ? deliverAfter : null,
    recurs: typeof recurrence === 'string' && recurrence !== '' ? 1 : 0,
  });
  return parsed.kind !== 'malformed';
}
