/** For the host's commands: one session's two files as the conversation that they are. Reads only. */
import { hasCode } from '../../base/errors.js';
import { withDatabase, type Db } from '../../base/sqlite/sqlite.js';
import { OutboundReader, type OutboundRow } from './outbound-reader.js';
import type { DeliveryStatus, InboundStatus } from '../session-message.js';
import { inboundDbPath, outboundDbPath } from '../workspace.js';

/** A row of either file. Its content is JSON as it stands there, null when it was too long to be read. */
export interface ConversationRow {
  readonly seq: number;
  readonly direction: 'in' | 'out';
  readonly id: string;
  readonly kind: string;
  /** ISO-8601. */
  readonly timestamp: string;
  /** `waiting`: a reply that has not been sent yet. */
  readonly status: InboundStatus | DeliveryStatus | 'waiting';
  readonly inReplyTo: string | null;
  readonly channelType: string | null;
  readonly platformId: string | null;
  readonly threadId: string | null;
  readonly content: string | null;
}

/** How long a writer's transaction is waited for, in milliseconds. */
const busyTimeoutMs = 2_000;

export interface ConversationFolders {
  readonly inDir: string;
  readonly outDir: string;
}

/** The newest rows by seq, oldest first. A file that is not there has no rows. Throws as openDatabase. */
export function readConversation(
  folders: ConversationFolders,
  limit: number,
): readonly ConversationRow[] {
  const sent = new OutboundReader(outboundDbPath(folders.outDir), { busyTimeoutMs }).listNewest(
    limit,
  );
  return readInbound(inboundDbPath(folders.inDir), (db) => [
    ...listInbound(db, limit),
    ...sent.map((row) => withDelivery(db, row)),
  ])
    .toSorted((a, b) => a.seq - b.seq)
    .slice(-limit);
}

/** Reads one row of either file; undefined where it is not there. Throws as openDatabase. */
export function findConversationRow(
  folders: ConversationFolders,
  direction: 'in' | 'out',
  id: string,
): ConversationRow | undefined {
  const path = inboundDbPath(folders.inDir);
  if (direction === 'in') return readInbound(path, (db) => listInbound(db, 1, id))[0];
  const sent = new OutboundReader(outboundDbPath(folders.outDir), { busyTimeoutMs }).find(id);
  return sent === undefined ? undefined : readInbound(path, (db) => [withDelivery(db, sent)])[0];
}

function readInbound(
  path: string,
  use: (db: Db) => readonly ConversationRow[],
): readonly ConversationRow[] {
  try {
    return withDatabase(path, { mode: 'read', busyTimeoutMs }, use);
  } catch (error) {
    if (hasCode(error, 'database_missing')) return [];
    throw error;
  }
}

/** With an id that row only. */
function listInbound(db: Db, limit: number, id: string | null = null): readonly ConversationRow[] {
  return db
    .prepare<[{ limit: number; id: string | null }], ConversationRow>(
      `SELECT seq, 'in' AS direction, id, kind, timestamp, status, NULL AS inReplyTo,
              channel_type AS channelType, platform_id AS platformId, thread_id AS threadId, content
       FROM messages_in WHERE @id IS NULL OR id = @id ORDER BY seq DESC LIMIT @limit`,
    )
    .all({ limit, id });
}

function withDelivery(db: Db, row: OutboundRow): ConversationRow {
  const status = db
    .prepare<[string], DeliveryStatus>('SELECT status FROM delivered WHERE message_out_id = ?')
    .pluck()
    .get(row.id);
  const { seq, id, kind, timestamp, inReplyTo, content } = row;
  const { channelType, platformId, threadId } = row;
  return {
    seq,
    direction: 'out',
    id,
    kind,
    timestamp,
    status: status ?? 'waiting',
    inReplyTo,
    channelType,
    platformId,
    threadId,
    content,
  };
}
