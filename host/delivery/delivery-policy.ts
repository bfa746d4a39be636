import { isoAt } from '../../shared/base/clock.js';
import { toBerthError } from '../../shared/base/errors.js';
import type { Channel } from '../channels/channel.js';
import type { DeliveryRecord } from '../../shared/protocol/inbound-writer.js';
import type { OutboundRow } from '../../shared/protocol/outbound-reader.js';
import {
  parseOutboundContent,
  type Address,
  type ChatOut,
} from '../../shared/protocol/session-message.js';

export interface DeliveryFacts {
  /** ISO-8601. */
  readonly now: string;
  /** What is noted of this row, if anything. */
  readonly record: DeliveryRecord | undefined;
  /** Where the row goes: its own address, or else the session's. */
  readonly address: Address | undefined;
  /** The agent may write there. */
  readonly isAllowed: boolean;
  /** The channel of that address; undefined where there is none. */
  readonly channel: Channel | undefined;
}

export type DeliveryDecision =
  /** Final already. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'not-yet'; readonly dueAt: string }
  | {
      readonly kind: 'send';
      readonly channel: Channel;
      readonly address: Address;
      readonly chat: ChatOut;
    }
  /** Will never be sent. */
  | { readonly kind: 'refuse'; readonly reason: string };

/** The years after 9999 are written in another way, and sort before all others. */
const latestMs = Date.UTC(9999, 11, 31);

/** What to do with one row of messages_out. */
export function decideDelivery(row: OutboundRow, facts: DeliveryFacts): DeliveryDecision {
  const { record, address, channel } = facts;
  if (record !== undefined && record.status !== 'sending') return { kind: 'settled' };
  const parsed = parseRow(row);
  if ('refused' in parsed) return { kind: 'refuse', reason: parsed.refused };
  if (parsed.dueAt > facts.now) return { kind: 'not-yet', dueAt: parsed.dueAt };
  if (address === undefined) return { kind: 'refuse', reason: 'it names no chat to go to' };
  if (!facts.isAllowed) {
    return { kind: 'refuse', reason: `this agent may not write to ${chatName(address)}` };
  }
  if (channel === undefined) {
    return { kind: 'refuse', reason: `there is no channel of type ${address.channelType}` };
  }
  if (record?.status === 'sending' && !channel.sendsAreIdempotent) {
    return {
      kind: 'refuse',
      reason:
        'the daemon stopped while it was being sent: it may have arrived, and is not sent again',
    };
  }
  return { kind: 'send', channel, address, chat: parsed.chat };
}

/** `dueAt`: ISO-8601 as the databases store it, so that it compares as text; empty: at once. */
function parseRow(row: OutboundRow): { chat: ChatOut; dueAt: string } | { refused: string } {
  if (row.content === null) return { refused: 'its content is too long' };
  const dueAtMs = row.deliverAfter === null ? undefined : Date.parse(row.deliverAfter);
  if (Number.isNaN(dueAtMs)) return { refused: 'its deliver_after is not a time' };
  const dueAt = dueAtMs === undefined ? '' : isoAt(Math.min(dueAtMs, latestMs));
  try {
    const content = parseOutboundContent(row.kind, row.content);
    if (content.kind === 'system') {
      return { refused: `there is no system action ${JSON.stringify(content.system.action)}` };
    }
    return { chat: content.chat, dueAt };
  } catch (error) {
    return { refused: toBerthError(error).message };
  }
}

/** Equal for addresses of one chat. */
export function chatKey(address: Address): string {
  return `${address.channelType}\n${address.platformId}`;
}

function chatName(address: Address): string {
  return `${address.channelType} chat ${JSON.stringify(address.platformId)}`;
}
