import { isoAt } from '../../shared/base/clock.js';
import type { ChannelPort } from '../channels/channel.js';
import type { DeliveryRecord } from '../../shared/protocol/mailbox/inbound-rows.js';
import type { OutboundRow } from '../../shared/protocol/mailbox/outbound-reader.js';
import { parseOutboundMessage } from '../../shared/protocol/outbound-message.js';
import type { Address, ChatOut, SystemOut } from '../../shared/protocol/session-message.js';
import {
  asRepeatText,
  planSend,
  wouldShowTwice,
  type UnknownSends,
} from './send/outcome-policy.js';

export interface DeliveryFacts {
  /** ISO-8601. */
  readonly now: string;
  /** The note about this row, if there is one. */
  readonly record: DeliveryRecord | undefined;
  /** The outcome of an earlier send is not known, and it was decided to send it again. */
  readonly maybeSent: boolean;
  /** The place that the row goes to: its own address, or else the session's. */
  readonly address: Address | undefined;
  /** The agent may write there. */
  readonly isAllowed: boolean;
  /** The channel of that address; undefined where there is none. */
  readonly channel: ChannelPort | undefined;
  /** The policy for that channel. */
  readonly unknownSends: UnknownSends;
}

export type DeliveryDecision =
  /** Final already. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'not-yet'; readonly dueAt: string }
  | {
      readonly kind: 'send';
      readonly channel: ChannelPort;
      readonly address: Address;
      readonly chat: ChatOut;
      /** The message may have arrived before; the chat says so. */
      readonly isRepeat: boolean;
    }
  /** The agent asks the host for something. */
  | { readonly kind: 'act'; readonly system: SystemOut }
  /** Will never be sent. */
  | {
      readonly kind: 'refuse';
      readonly reason: string;
      /** The chat itself may be reached, and somebody may wait there. */
      readonly tellsChat: boolean;
      /** The row is no message at all, whatever else changes. */
      readonly isMalformed: boolean;
    };

/** The years after 9999 are written in another way, and sort before all others. */
const latestMs = Date.UTC(9999, 11, 31);

/** Decides what to do with one row of messages_out. */
export function decideDelivery(row: OutboundRow, facts: DeliveryFacts): DeliveryDecision {
  const { record } = facts;
  if (record !== undefined && record.status !== 'sending') return { kind: 'settled' };
  const parsed = parseOutboundMessage(row);
  if (parsed.kind === 'malformed') return { ...parsed, kind: 'refuse', isMalformed: true };
  const dueAt = dueTimeOf(parsed.dueAtMs);
  if (dueAt > facts.now) return { kind: 'not-yet', dueAt };
  if (parsed.kind === 'action') return { kind: 'act', system: parsed.system };
  return decideChat(parsed.chat, facts);
}

/** Decides what to do with what a row says in a chat. */
export function decideChat(
  chat: ChatOut,
  facts: DeliveryFacts,
): Extract<DeliveryDecision, { kind: 'send' | 'refuse' }> {
  const { address, channel } = facts;
  if (address === undefined) return refuse('it names no chat to go to');
  if (!facts.isAllowed) return refuse(`this agent may not write to ${chatName(address)}`);
  if (channel === undefined) return refuse(`there is no channel of type ${address.channelType}`);
  return decideSend(chat, channel, address, facts);
}

/** Nothing stands against it, unless it may have been sent before. */
function decideSend(
  chat: ChatOut,
  channel: ChannelPort,
  address: Address,
  { record, maybeSent, unknownSends }: DeliveryFacts,
): Extract<DeliveryDecision, { kind: 'send' | 'refuse' }> {
  const plan = planSend({
    wasBegun: record !== undefined,
    maybeSent,
    showsTwice: wouldShowTwice(channel, chat.operation),
    unknownSends,
  });
  if (plan.kind === 'hold') {
    return { kind: 'refuse', reason: plan.reason, tellsChat: true, isMalformed: false };
  }
  const { isRepeat } = plan;
  return { kind: 'send', channel, address, chat: isRepeat ? asRepeat(chat) : chat, isRepeat };
}

function asRepeat(chat: ChatOut): ChatOut {
  return chat.operation === 'post' ? { ...chat, text: asRepeatText(chat.text) } : chat;
}

/** A person who waits in the chat that it came from learns nothing from where else the agent could not write. */
function refuse(reason: string): Extract<DeliveryDecision, { kind: 'refuse' }> {
  return { kind: 'refuse', reason, tellsChat: false, isMalformed: false };
}

/** ISO-8601 as the databases store it, so that it compares as text; empty: at once. */
function dueTimeOf(dueAtMs: number | undefined): string {
  return dueAtMs === undefined ? '' : isoAt(Math.min(dueAtMs, latestMs));
}

/** Equal for addresses of one chat. */
export function chatKey(address: Address): string {
  return `${address.channelType}\n${address.platformId}`;
}

function chatName(address: Address): string {
  return `${address.channelType} chat ${JSON.stringify(address.platformId)}`;
}
