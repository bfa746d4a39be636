/** What one pass over a session goes by: read once, from both of its files. */
import type { OpenInbound } from '../../../shared/protocol/inbound-rows.js';
import type { AckRecord, OutboundPage } from '../../../shared/protocol/outbound-reader.js';
import type { Mailbox } from '../mailbox.js';

/** By message id. */
export type Acks = ReadonlyMap<string, AckRecord>;

/** Messages that are not settled, and what the runner says of them. */
export interface SeenWork {
  readonly open: readonly OpenInbound[];
  readonly acks: Acks;
}

export interface PassFacts extends SeenWork {
  /** Rows of outbound.db, of the same moment as the acks; undefined while the runner has written nothing. */
  readonly page: OutboundPage | undefined;
}

/** Of one request: no session has so many open messages but after a flood. */
const acksAtOnce = 1_000;

/**
 * Rows after a seq, `limit` at the most. No ack is newer than the rows: a message is not taken for done before its
 * replies are seen. Throws what the mailbox throws.
 */
export async function readFacts(
  mailbox: Mailbox,
  sessionId: string,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<PassFacts> {
  const probable = mailbox.probablyOpen(sessionId);
  if (probable !== undefined && probable.length <= acksAtOnce) {
    // Side by side, where what is open is known, as nearly always.
    const [open, page] = await Promise.all([
      mailbox.inbound(sessionId, 'listOpen'),
      mailbox.readPage(sessionId, { after, limit, acksOf: probable }),
    ]);
    const asked = new Set(probable);
    if (open.every(({ id }) => asked.has(id))) return { open, acks: page?.acks ?? new Map(), page };
  }
  const open = await mailbox.inbound(sessionId, 'listOpen');
  const ids = open.map(({ id }) => id);
  const acks = new Map<string, AckRecord>();
  for (let from = acksAtOnce; from < ids.length; from += acksAtOnce) {
    const some = await mailbox.outbound(sessionId, 'findAcks', ids.slice(from, from + acksAtOnce));
    for (const [id, ack] of some) acks.set(id, ack);
  }
  const acksOf = ids.slice(0, acksAtOnce);
  const page = await mailbox.readPage(sessionId, { after, limit, acksOf });
  for (const [id, ack] of page?.acks ?? []) acks.set(id, ack);
  return { open, acks, page };
}
