import type { OpenedDatabase } from '../../base/sqlite/kept-database.js';
import type { AckStatus } from '../session-message.js';
import { shortText } from './outbound-columns.js';
import { failureKey, maxReasonLength, triesKey } from '../session-state.js';

/** A processing_ack row, with the reason that a runner gave for a failure. */
export interface AckRecord {
  readonly status: AckStatus;
  /** messages_in.tries as the runner saw it. An ack of fewer tries than the row has belongs to an earlier try. */
  readonly tries: number;
  /** ISO-8601. */
  readonly statusChanged: string;
  readonly reason: string | null;
}

/** Of those that have one that can be read. */
export function acksIn(
  { statements }: OpenedDatabase,
  messageIds: readonly string[],
): ReadonlyMap<string, AckRecord> {
  const found = new Map<string, AckRecord>();
  if (messageIds.length === 0) return found;
  const stateOf = (key: string): string =>
    `(SELECT nullif(${shortText('value')}, '') FROM session_state WHERE key = ${key})`;
  const select = statements.prepare<[AckKeys], AckRow>(
    `SELECT ${shortText('status')} AS status, ${shortText('status_changed')} AS statusChanged,
            ${stateOf('@tries')} AS tries, ${stateOf('@failure')} AS reason
     FROM processing_ack WHERE message_id = @id`,
  );
  for (const id of messageIds) {
    const row = select.get({ id, tries: triesKey(id), failure: failureKey(id) });
    if (row === undefined || !isAckStatus(row.status)) continue;
    found.set(id, {
      status: row.status,
      tries: parseTries(row.tries),
      statusChanged: row.statusChanged ?? '',
      reason: row.reason?.slice(0, maxReasonLength) ?? null,
    });
  }
  return found;
}

interface AckKeys {
  readonly id: string;
  readonly tries: string;
  readonly failure: string;
}

interface AckRow {
  readonly status: unknown;
  readonly statusChanged: string | null;
  readonly tries: string | null;
  readonly reason: string | null;
}

function parseTries(value: string | null | undefined): number {
  const tries = Number(value ?? 0);
  return Number.isSafeInteger(tries) ? tries : 0;
}

export function isAckStatus(value: unknown): value is AckStatus {
  return value === 'processing' || value === 'completed' || value === 'failed';
}
