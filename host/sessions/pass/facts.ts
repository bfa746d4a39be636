/** The facts that one pass over a session goes by: read once, from both of its files. */
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { OutboundPage } from '../../../shared/protocol/mailbox/outbound-reader.js';
import type { AckRecord } from '../../../shared/protocol/mailbox/outbound-acks.js';
import type { Mailbox } from '../mailbox/mailbox.js';

/** By message id. */
export type Acks = ReadonlyMap<string, AckRecord>;

/** Messages that are not settled, and what the runner says of them. */
export interface SeenWork {
  readonly open: readonly OpenInbound[];
  readonly acks: Acks;
}

export interface PassFacts {
  readonly acks: Acks;
  /** Ids of the messages whose acks were asked for. */
  readonly asked: ReadonlySet<string>;
  /** The open messages, where they had to be read for that. */
  readonly open: readonly OpenInbound[] | undefined;
  /** Rows of outbound.db, of the same moment as the acks; undefined while the runner has written nothing. */
  readonly page: OutboundPage | undefined;
}

export interface FactsRequest {
  /** A seq: rows after it. */
  readonly after: number;
  /** How many rows at the most. */
  readonly limit: number;
  /** Every open message is asked for, also one that this daemon has not posted by itself. */
  readonly asksForAll: boolean;
}

/** Of one request: no session has so many open messages but after a flood. */
const acksAtOnce = 1_000;

/**
 * Unless all are asked for, it goes by the messages that are probably open, which saves a read. No ack is newer than the
 * rows: a message is not taken for done before its replies are seen. Throws what the mailbox throws.
 */
export async function readFacts(
  mailbox: Mailbox,
  sessionId: string,
  { after, limit, asksForAll }: FactsRequest,
): Promise<PassFacts> {
  const probable = asksForAll ? undefined : mailbox.probablyOpen(sessionId);
  if (probable !== undefined && probable.length <= acksAtOnce) {
    const page = await mailbox.readPage(sessionId, { after, limit, acksOf: probable });
    return { acks: page?.acks ?? new Map(), asked: new Set(probable), open: undefined, page };
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
  return { acks, asked: new Set(ids), open, page };
}
