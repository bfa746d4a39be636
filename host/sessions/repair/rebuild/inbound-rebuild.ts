/** Copies into a fresh inbound.db what can be read of a damaged one. */
import { maxContentBytes } from '../../../../shared/protocol/limits.js';
import { maxSeqNumber } from '../../../../shared/protocol/mailbox/outbound-columns.js';
import { copyTable, rebuildFile, type RebuildRequest, type Salvage } from './fresh-file.js';

const isMessage = `typeof(id) = 'text' AND typeof(seq) = 'integer' AND seq BETWEEN 0 AND ${maxSeqNumber}
  AND typeof(tries) = 'integer' AND typeof(content) = 'text' AND octet_length(content) <= ${maxContentBytes}
  AND kind IS NOT NULL AND timestamp IS NOT NULL
  AND status IN ('pending', 'context', 'completed', 'failed', 'cancelled')`;
const isDelivery = `typeof(message_out_id) = 'text' AND status IN ('sending', 'delivered', 'failed')`;
const isAddress = `typeof(channel_type) = 'text' AND typeof(platform_id) = 'text'`;

/** A journal that the host itself left beside the copy is rolled back, and a log that somebody else left is read. */
export function rebuildInbound(request: RebuildRequest): Salvage {
  return rebuildFile(request, 'write', (damaged, fresh) => {
    const messages = copyTable(damaged, fresh, 'messages_in', isMessage);
    const deliveries = copyTable(damaged, fresh, 'delivered', isDelivery);
    copyTable(damaged, fresh, 'session_routing', isAddress);
    return {
      isRolledBack: false,
      messageCount: messages.count,
      malformedCount: 0,
      hasAllOutcomes: deliveries.isComplete,
      isComplete: messages.isComplete && deliveries.isComplete,
    };
  });
}
