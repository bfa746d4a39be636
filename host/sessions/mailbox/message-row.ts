import { isoAt } from '../../../shared/base/clock.js';
import type { NewInboundRow } from '../../../shared/protocol/mailbox/inbound-rows.js';
import { encodeContent, type InboundContent } from '../../../shared/protocol/session-message.js';

/** A message that is due at once and comes once. */
export function messageRow({
  content,
  nowMs,
  ...row
}: Pick<NewInboundRow, 'id' | 'status' | 'address'> & {
  readonly content: InboundContent;
  readonly nowMs: number;
}): NewInboundRow {
  return {
    ...row,
    kind: content.kind,
    timestamp: isoAt(nowMs),
    processAfter: null,
    recurrence: null,
    content: encodeContent(content),
  };
}
