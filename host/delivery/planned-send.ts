import type { OutboundRow } from '../../shared/protocol/mailbox/outbound-reader.js';
import type { Address, ChatOut } from '../../shared/protocol/session-message.js';
import type { ChannelPort, QuestionView } from '../channels/channel.js';

/** A row of messages_out that is to be sent now. */
export interface PlannedSend {
  readonly row: OutboundRow;
  readonly channel: ChannelPort;
  readonly address: Address;
  readonly chat: ChatOut;
  /** The message may have arrived before, and says so. */
  readonly isRepeat: boolean;
  /** A send of it was begun before. */
  readonly wasBegun: boolean;
  readonly question?: QuestionView | undefined;
}
