/** Reads what a row of messages_out says. Delivery and repair both ask here whether a row is a message. */
import { toBerthError } from '../base/errors.js';
import type { OutboundRow } from './mailbox/outbound-reader.js';
import { parseOutboundContent, type ChatOut, type SystemOut } from './session-message.js';

export type OutboundFields = Pick<OutboundRow, 'kind' | 'content' | 'deliverAfter' | 'recurs'>;

export type OutboundMessage =
  /** `dueAtMs`: undefined: at once. */
  | { readonly kind: 'message'; readonly chat: ChatOut; readonly dueAtMs: number | undefined }
  /** The agent asks the host for something. */
  | { readonly kind: 'action'; readonly system: SystemOut; readonly dueAtMs: number | undefined }
  /** The row will never be one, whatever else changes. */
  | {
      readonly kind: 'malformed';
      readonly reason: string;
      /** The row was meant for a chat. */
      readonly tellsChat: boolean;
    };

export function parseOutboundMessage(row: OutboundFields): OutboundMessage {
  if (row.content === null) return malformed('its content is too long');
  if (row.recurs === 1) {
    return malformed('a message has no recurrence: schedule a task that writes it');
  }
  const dueAtMs = row.deliverAfter === null ? undefined : Date.parse(row.deliverAfter);
  if (Number.isNaN(dueAtMs)) return malformed('its deliver_after is not a time');
  try {
    const content = parseOutboundContent(row.kind, row.content);
    if (content.kind === 'chat') return { kind: 'message', chat: content.chat, dueAtMs };
    return { kind: 'action', system: content.system, dueAtMs };
  } catch (error) {
    return malformed(toBerthError(error).message, row.kind === 'chat');
  }
}

function malformed(reason: string, tellsChat = true): OutboundMessage {
  return { kind: 'malformed', reason, tellsChat };
}
