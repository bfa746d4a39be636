/**
 * Takes back that something in inbound.db was given up, when a person wants it tried again; the host's, like
 * InboundWriter. What is not given up is left as it is, so that asking twice does no harm.
 */
import { withDatabase, type Db } from '../base/sqlite.js';
import type { Address, DeliveryStatus, InboundStatus } from './session-message.js';

/** A row of messages_in as it stands there. */
export interface StoredInbound {
  readonly id: string;
  readonly seq: number;
  readonly kind: string;
  /** ISO-8601. */
  readonly timestamp: string;
  readonly status: InboundStatus;
  readonly tries: number;
  readonly recurrence: string | null;
  readonly address: Address | null;
  /** JSON. */
  readonly content: string;
}

type Row = Omit<StoredInbound, 'address'> & {
  readonly channelType: string | null;
  readonly platformId: string | null;
  readonly threadId: string | null;
};

export class InboundReopener {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  findMessage(id: string): StoredInbound | undefined {
    const row = this.#use((db) =>
      db
        .prepare<[string], Row>(
          `SELECT id, seq, kind, timestamp, status, tries, recurrence, content,
                  channel_type AS channelType, platform_id AS platformId, thread_id AS threadId
           FROM messages_in WHERE id = ?`,
        )
        .get(id),
    );
    if (row === undefined) return undefined;
    const { channelType, platformId, threadId, ...message } = row;
    const hasAddress = channelType !== null && platformId !== null;
    return { ...message, address: hasAddress ? { channelType, platformId, threadId } : null };
  }

  /** Lets the runner take a failed message once more, at once. More tries than before, so that its old ack does not hold. */
  reopenMessage(id: string, tries: number, recurrence: string | null): void {
    this.#use((db) =>
      db
        .prepare(
          `UPDATE messages_in SET status = 'pending', tries = ?, process_after = NULL, recurrence = ?
           WHERE id = ? AND status = 'failed'`,
        )
        .run(tries, recurrence, id),
    );
  }

  findDeliveryStatus(messageOutId: string): DeliveryStatus | undefined {
    return this.#use((db) =>
      db
        .prepare<[string], DeliveryStatus>('SELECT status FROM delivered WHERE message_out_id = ?')
        .pluck()
        .get(messageOutId),
    );
  }

  /** Lets a message be sent whose delivery was given up. */
  reopenDelivery(messageOutId: string): void {
    this.#use((db) =>
      db
        .prepare(`DELETE FROM delivered WHERE message_out_id = ? AND status = 'failed'`)
        .run(messageOutId),
    );
  }

  #use<T>(use: (db: Db) => T): T {
    return withDatabase(this.#path, { mode: 'write', busyTimeoutMs: 0 }, use);
  }
}
