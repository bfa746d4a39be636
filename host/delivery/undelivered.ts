import type { OutboundRow } from '../../shared/protocol/mailbox/outbound-reader.js';

/** A message that will not be delivered. */
export interface Undelivered {
  readonly row: OutboundRow;
  readonly reason: string;
  /** The message may have arrived all the same. */
  readonly maybeSent: boolean;
  /** The chat itself may be reached. */
  readonly tellsChat: boolean;
  /** The reason is plain enough for whoever waits. */
  readonly isPlain?: boolean;
  /** The row is no message at all. */
  readonly isMalformed?: boolean;
}
