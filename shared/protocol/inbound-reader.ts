/** The runner's half of inbound.db: reads only, from a read-only mount. */
import { toBerthError, type BerthError } from '../base/errors.js';
import { withDatabase, type Db } from '../base/sqlite.js';
import {
  parseInboundContent,
  type Address,
  type Destination,
  type InboundMessage,
  type InboundStatus,
} from './session-message.js';

/** How long the runner waits for the host's commit, in milliseconds. The host's transactions take a few. */
const busyTimeoutMs = 5_000;

/** A row whose time has come, without its content. */
export interface DueInbound {
  readonly id: string;
  readonly seq: number;
  readonly status: 'pending' | 'context';
}

/** A row, or why it cannot be read as a message. */
export type LoadedInbound =
  | { readonly kind: 'message'; readonly message: InboundMessage }
  | { readonly kind: 'unreadable'; readonly id: string; readonly error: BerthError };

interface InboundRow {
  id: string;
  seq: number;
  kind: string;
  timestamp: string;
  status: InboundStatus;
  tries: number;
  platformId: string | null;
  channelType: string | null;
  threadId: string | null;
  content: string;
}

export class InboundReader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  maxSeq(): number {
    return this.#read((db) =>
      Number(db.prepare('SELECT coalesce(max(seq), 0) FROM messages_in').pluck().get()),
    );
  }

  /** Open rows whose process_after has come, oldest first. */
  listDue(nowIso: string): readonly DueInbound[] {
    return this.#read((db) =>
      db
        .prepare<[string], DueInbound>(
          `SELECT id, seq, status FROM messages_in
           WHERE status IN ('pending', 'context') AND (process_after IS NULL OR process_after <= ?)
           ORDER BY seq`,
        )
        .all(nowIso),
    );
  }

  /** The earliest process_after later than now, if any: when to look again. */
  findNextDueAt(nowIso: string): string | undefined {
    return this.#read((db) => {
      const next = db
        .prepare<[string], string | null>(
          `SELECT min(process_after) FROM messages_in
           WHERE status IN ('pending', 'context') AND process_after > ?`,
        )
        .pluck()
        .get(nowIso);
      return next ?? undefined;
    });
  }

  /** The named rows in the order of their seq. */
  load(ids: readonly string[]): readonly LoadedInbound[] {
    return this.#read((db) =>
      db
        .prepare<[string], InboundRow>(
          `SELECT id, seq, kind, timestamp, status, tries, platform_id AS platformId,
                  channel_type AS channelType, thread_id AS threadId, content
           FROM messages_in WHERE id IN (SELECT value FROM json_each(?)) ORDER BY seq`,
        )
        .all(JSON.stringify(ids))
        .map(parseRow),
    );
  }

  /** Where replies go that name no address of their own. */
  findRouting(): Address | undefined {
    return this.#read((db) => {
      const row = db
        .prepare<[], { channelType: string | null; platformId: string | null; threadId: string | null }>(
          `SELECT channel_type AS channelType, platform_id AS platformId, thread_id AS threadId
           FROM session_routing WHERE id = 1`,
        )
        .get();
      return row === undefined ? undefined : (addressOf(row) ?? undefined);
    });
  }

  listDestinations(): readonly Destination[] {
    return this.#read((db) =>
      db
        .prepare<[], Destination>(
          `SELECT name, display_name AS displayName, type, channel_type AS channelType,
                  platform_id AS platformId, agent_group_id AS agentGroupId
           FROM destinations ORDER BY name`,
        )
        .all(),
    );
  }

  #read<T>(use: (db: Db) => T): T {
    return withDatabase(this.#path, { mode: 'read', busyTimeoutMs }, use);
  }
}

function parseRow(row: InboundRow): LoadedInbound {
  try {
    const content = parseInboundContent(row.kind, row.content);
    const { id, seq, timestamp, status, tries } = row;
    return {
      kind: 'message',
      message: { id, seq, timestamp, status, tries, address: addressOf(row), content },
    };
  } catch (error) {
    return { kind: 'unreadable', id: row.id, error: toBerthError(error) };
  }
}

function addressOf(row: {
  channelType: string | null;
  platformId: string | null;
  threadId: string | null;
}): Address | null {
  if (row.channelType === null || row.platformId === null) return null;
  return { channelType: row.channelType, platformId: row.platformId, threadId: row.threadId };
}
