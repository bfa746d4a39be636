/**
 * When the file is gone that told what was sent, nothing is sent again that may have arrived: the newest replies of which
 * nobody knows are held for the operator, and all older ones were sent long ago.
 */
import { isoAt } from '../../../shared/base/clock.js';
import type { NewDeliveryRecord } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { OutboundRow } from '../../../shared/protocol/mailbox/outbound-reader.js';
import type { RepairDeps } from './repair-deps.js';

/** How many replies are held at the most. */
const heldLimit = 20;
const pageSize = 100;

/** Outcomes for replies that a fresh inbound.db at `draft` does not know; `failed`: the reply may have arrived. */
export async function recordUnrecorded(
  deps: RepairDeps,
  sessionId: string,
  draft: string,
): Promise<readonly NewDeliveryRecord[]> {
  const { store, mailbox, inboundFiles, clock } = deps;
  const retries = store.deliveryRetries.list(sessionId);
  const now = isoAt(clock.now());
  const sent: string[] = [];
  const unknown: string[] = [];
  for (let after = -1; ;) {
    const page = await mailbox.readPage(sessionId, { after, limit: pageSize, acksOf: [] });
    const last = page?.rows.at(-1);
    if (page === undefined || last === undefined) break;
    const ids = page.rows.map(({ id }) => id);
    const noted = await inboundFiles.call(draft, 'findDeliveries', [ids]);
    const settled = await findSettled(deps, sessionId, draft, page.rows);
    for (const { id, inReplyTo, deliverAfter } of page.rows) {
      // It waits for another try, or for its time, and has not arrived.
      const isPlanned = retries.has(id) || (deliverAfter ?? '') > now;
      if (noted.has(id) || isPlanned) continue;
      (settled.has(inReplyTo) ? sent : unknown).push(id);
    }
    if (page.isLast) break;
    after = last.seq;
  }
  sent.push(...unknown.splice(0, Math.max(0, unknown.length - heldLimit)));
  const record = (status: 'delivered' | 'failed') => (messageOutId: string) => ({
    messageOutId,
    status,
    platformMessageId: null,
  });
  return [...sent.map(record('delivered')), ...unknown.map(record('failed'))];
}

/**
 * The messages that are settled: that comes after their replies were sent, unless replies wait. While a message is not
 * settled, its session is due; where it is not, an ack is as good.
 */
async function findSettled(
  { store, mailbox, inboundFiles }: RepairDeps,
  sessionId: string,
  draft: string,
  rows: readonly OutboundRow[],
): Promise<ReadonlySet<unknown>> {
  const isDue = (kind: 'wake' | 'deliver') => store.dueItems.find(sessionId, kind) !== undefined;
  if (store.awaitedListeners.isAwaiting(sessionId) || isDue('deliver')) return new Set();
  const ids = [...new Set(rows.flatMap(({ inReplyTo }) => inReplyTo ?? []))];
  const acks = await mailbox.outbound(sessionId, 'findAcks', isDue('wake') ? [] : ids);
  const settled = new Set<string>();
  for (const id of ids) {
    const status = await inboundFiles.call(draft, 'findStatus', [id]);
    if (status === 'completed' || acks.get(id)?.status === 'completed') settled.add(id);
  }
  return settled;
}
