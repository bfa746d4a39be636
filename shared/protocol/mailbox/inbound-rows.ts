/** Rows of inbound.db, as the host writes and reads them. */
import type { Address, DeliveryStatus, InboundStatus, MessageKind } from '../session-message.js';

export interface NewInboundRow {
  readonly id: string;
  readonly kind: MessageKind;
  /** ISO-8601. */
  readonly timestamp: string;
  readonly status: 'pending' | 'context';
  /** ISO-8601; null: at once. */
  readonly processAfter: string | null;
  /** A cron expression, or null. */
  readonly recurrence: string | null;
  readonly address: Address | null;
  /** JSON, as encodeContent makes it. */
  readonly content: string;
}

export interface DeliveryRecord {
  readonly status: DeliveryStatus;
  readonly platformMessageId: string | null;
}

/** The outcome of one messages_out row. */
export type NewDeliveryRecord = DeliveryRecord & { readonly messageOutId: string };

/** A messages_in row that is not settled yet. */
export interface OpenInbound {
  readonly id: string;
  readonly seq: number;
  readonly status: InboundStatus;
  readonly tries: number;
  readonly processAfter: string | null;
  readonly kind: string;
  /** ISO-8601. Of a task: when it is scheduled. */
  readonly timestamp: string;
  readonly recurrence: string | null;
  /** Of a recurring task that names one. */
  readonly timeZone: string | null;
  /** The address it came from, where a failure is told too. */
  readonly address: Address | null;
}
