/**
 * Takes back that something in inbound.db was given up, when a person wants it tried again; the host's, like
 * InboundWriter. Anything that is not given up is left as it is, so that asking twice does no harm.
 */
import type { InboundHandle } from './inbound-handle.js';
import type { Address, InboundStatus } from '../session-message.js';

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
  readonly #file: InboundHandle;

  constructor(file: InboundHandle) {
    this.#file = file;
  }

  findMessage(id: string): StoredInbound | undefined {
    const row = this.#file.read((statements) =>
      statements
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
    this.#file.write((statements) =>
      statements
        .prepare(
          `UPDATE messages_in SET status = 'pending', tries = ?, process_after = NULL, recurrence = ?
           WHERE id = ? AND status = 'failed'`,
        )
        .run(tries, recurrence, id),
    );
  }

  /** Lets a message be sent whose delivery was given up. Returns whether it had been. */
  reopenDelivery(messageOutId: string): boolean {
    return this.#file.write((statements) => {
      const { changes } = statements
        .prepare(`DELETE FROM delivered WHERE message_out_id = ? AND status = 'failed'`)
        .run(messageOutId);
      return changes > 0;
    });
  }

  /** Whether a message was given up in the other direction: its delivery. */
  isDeliveryGivenUp(messageOutId: string): boolean {
    return this.#file.read((statements) => {
      const status = statements
        .pluck<[string], string>('SELECT status FROM delivered WHERE message_out_id = ?')
        .get(messageOutId);
      return status === 'failed';
    });
  }
}
