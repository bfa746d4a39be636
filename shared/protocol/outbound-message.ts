/** What a row of messages_out says. The one judge of what is a message: for delivery, and for what a repair keeps. */
import { toBerthError } from '../base/errors.js';
import type { OutboundRow } from './mailbox/outbound-reader.js';
import { parseOutboundContent, type ChatOut } from './session-message.js';

export type OutboundFields = Pick<OutboundRow, 'kind' | 'content' | 'deliverAfter' | 'recurs'>;

export type OutboundMessage =
  /** `dueAtMs`: undefined: at once. */
  | { readonly kind: 'message'; readonly chat: ChatOut; readonly dueAtMs: number | undefined }
  /** It will never be one, whatever else changes. */
  | {
      readonly kind: 'rubbish';
      readonly reason: string;
      /** It was meant for a chat. */
      readonly tellsChat: boolean;
    };

export function parseOutboundMessage(row: OutboundFields): OutboundMessage {
  if (row.content === null) return rubbish('its content is too long');
  if (row.recurs === 1) {
    return rubbish('a message has no recurrence: schedule a task that writes it');
  }
  const dueAtMs = row.deliverAfter === null ? undefined : Date.parse(row.deliverAfter);
  if (Number.isNaN(dueAtMs)) return rubbish('its deliver_after is not a time');
  try {
    const content = parseOutboundContent(row.kind, row.content);
    if (content.kind === 'chat') return { kind: 'message', chat: content.chat, dueAtMs };
    return rubbish(`there is no system action ${JSON.stringify(content.system.action)}`, false);
  } catch (error) {
    return rubbish(toBerthError(error).message, row.kind === 'chat');
  }
}

function rubbish(reason: string, tellsChat = true): OutboundMessage {
  return { kind: 'rubbish', reason, tellsChat };
}
