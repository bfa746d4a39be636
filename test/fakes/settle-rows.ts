import type { OpenInbound } from '../../shared/protocol/mailbox/inbound-rows.js';
import type {
  InboundOutcome,
  InboundSettlement,
} from '../../shared/protocol/mailbox/inbound-settlement.js';

/** These outcomes, decided on the rows as they are now; rows that are not open stay. */
export function settlementOf(
  open: readonly OpenInbound[],
  outcomes: readonly InboundOutcome[],
): InboundSettlement {
  return {
    deliveries: [],
    forget: [],
    outcomes: outcomes.flatMap((outcome) => {
      const seen = open.find(({ id }) => id === outcome.id);
      return seen === undefined ? [] : [{ seen, outcome }];
    }),
    following: [],
    outboundMaxSeq: 0,
    nowMs: Date.now(),
  };
}
