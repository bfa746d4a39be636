/** Goes through messages_out to tell what of it was sent, where `delivered` cannot tell any more. */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { findDelivered } from './rebuild/inbound-rebuild.js';
import type { OutboundRow } from '../../../shared/protocol/mailbox/outbound-reader.js';
import type { InboundStatus } from '../../../shared/protocol/session-message.js';
import type { Store } from '../../store/store.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import { decideUnrecorded, type UnrecordedFacts, type UnrecordedRow } from './unrecorded-sends.js';

export interface SentSurveyDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly clock: Clock;
}

export interface SentSurvey {
  readonly sent: readonly string[];
  /** They may have been sent. */
  readonly unknown: readonly string[];
}

interface Row extends UnrecordedRow {
  readonly chat: string;
}

const pageSize = 100;

/** `draft`: a fresh inbound.db with what could be saved of `delivered`; `messages`: what could be saved of messages_in. */
export async function surveySent(
  { store, mailbox, clock }: SentSurveyDeps,
  sessionId: string,
  draft: string,
  messages: ReadonlyMap<string, InboundStatus>,
): Promise<SentSurvey> {
  const facts: UnrecordedFacts = {
    now: isoAt(clock.now()),
    unsent: new Set(store.deliveryRetries.list(sessionId).keys()),
    isSomethingWaiting:
      store.awaitedListeners.isAwaiting(sessionId) ||
      store.dueItems.find(sessionId, 'deliver') !== undefined,
  };
  // A message is settled after its replies were sent, unless they wait for somebody who listens. While one is not
  // settled, its session is due: where it is not, an ack is as good.
  const areAcksSettled = store.dueItems.find(sessionId, 'wake') === undefined;
  const listSettled = async (ids: ReadonlySet<string>): Promise<ReadonlySet<string | null>> => {
    const acks = areAcksSettled
      ? await mailbox.outbound(sessionId, 'findAcks', [...ids])
      : undefined;
    const isSettled = (id: string): boolean =>
      messages.get(id) === 'completed' || acks?.get(id)?.status === 'completed';
    return new Set([...ids].filter(isSettled));
  };
  const rows: Row[] = [];
  const proven = new Map<string, number>();
  for await (const page of pagesOf(mailbox, sessionId)) {
    const noted = findDelivered(
      draft,
      page.map(({ id }) => id),
    );
    const questions = new Set(page.flatMap(({ inReplyTo }) => inReplyTo ?? []));
    const settled = facts.isSomethingWaiting ? new Set() : await listSettled(questions);
    for (const row of page) {
      const chat = `${row.channelType}\n${row.platformId}`;
      if (noted.has(row.id) || settled.has(row.inReplyTo)) proven.set(chat, row.seq);
      if (!noted.has(row.id)) rows.push({ ...pick(row), chat });
    }
  }
  return sortOut(rows, proven, facts);
}

async function* pagesOf(
  mailbox: Mailbox,
  sessionId: string,
): AsyncGenerator<readonly OutboundRow[]> {
  for (let after = -1; ;) {
    const page = await mailbox.readPage(sessionId, { after, limit: pageSize, acksOf: [] });
    const last = page?.rows.at(-1);
    if (page === undefined || last === undefined) return;
    yield page.rows;
    if (page.isLast) return;
    after = last.seq;
  }
}

/** Without its content: there may be many of them. */
function pick({ id, seq, timestamp, deliverAfter }: UnrecordedRow): UnrecordedRow {
  return { id, seq, timestamp, deliverAfter };
}

function sortOut(
  rows: readonly Row[],
  proven: ReadonlyMap<string, number>,
  facts: UnrecordedFacts,
): SentSurvey {
  const sent: string[] = [];
  const unknown: string[] = [];
  for (const [index, row] of rows.entries()) {
    const isProven = row.seq <= (proven.get(row.chat) ?? -1);
    const verdict = decideUnrecorded(row, { isProven, newerCount: rows.length - 1 - index }, facts);
    if (verdict === 'sent') sent.push(row.id);
    if (verdict === 'unknown') unknown.push(row.id);
  }
  return { sent, unknown };
}
