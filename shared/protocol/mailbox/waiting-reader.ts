/** For the host's commands: which messages wait in an inbound.db. Reads only, and holds no lock for longer than that. */
import { hasCode } from '../../base/errors.js';
import { withDatabase } from '../../base/sqlite/sqlite.js';
import type { InboundStatus } from '../session-message.js';
import { inboundDbPath } from '../workspace.js';

export interface WaitingMessage {
  readonly id: string;
  readonly kind: string;
  readonly status: InboundStatus;
  /** ISO-8601; null: at once. */
  readonly processAfter: string | null;
  /** How often it has failed. */
  readonly tries: number;
}

export interface WaitingMessages {
  /** The next ones first. */
  readonly waiting: readonly WaitingMessage[];
  /** How many wait altogether. */
  readonly count: number;
  /** The message that was asked for, whatever its status is. */
  readonly asked: WaitingMessage | undefined;
}

const busyTimeoutMs = 500;
const columns = 'id, kind, status, process_after AS processAfter, tries';

/** Undefined where there is no such file. Throws as openDatabase. */
export function readWaitingMessages(
  inDir: string,
  { limit, asked }: { readonly limit: number; readonly asked: string | null },
): WaitingMessages | undefined {
  try {
    return withDatabase(inboundDbPath(inDir), { mode: 'read', busyTimeoutMs }, (db) => ({
      waiting: db
        .prepare<[number], WaitingMessage>(
          `SELECT ${columns} FROM messages_in WHERE status = 'pending'
           ORDER BY coalesce(process_after, ''), seq LIMIT ?`,
        )
        .all(limit),
      count: Number(
        db.prepare(`SELECT count(*) FROM messages_in WHERE status = 'pending'`).pluck().get(),
      ),
      asked: db
        .prepare<[string | null], WaitingMessage>(`SELECT ${columns} FROM messages_in WHERE id = ?`)
        .get(asked),
    }));
  } catch (error) {
    if (hasCode(error, 'database_missing')) return undefined;
    throw error;
  }
}
