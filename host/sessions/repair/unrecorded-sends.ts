/**
 * When the file that told what was sent is gone, and messages_out still stands: what of it is sent again? Nothing that
 * may have arrived: the newest of what is not known is held for the operator, all that is older was sent long ago.
 */

/** A messages_out row whose outcome is not noted any more. */
export interface UnrecordedRow {
  readonly id: string;
  readonly seq: number;
  /** ISO-8601, as the runner wrote it; anything may stand there. */
  readonly timestamp: string;
  readonly deliverAfter: string | null;
}

export interface UnrecordedFacts {
  /** ISO-8601. */
  readonly now: string;
  /** Ids of rows that are known not to be sent: a retry is planned for them. */
  readonly unsent: ReadonlySet<string>;
  /** Something waits to be sent, or for somebody to listen. */
  readonly isSomethingWaiting: boolean;
}

/** A row among the others. */
export interface UnrecordedPlace {
  /** A later one for the same chat is known to be sent, or this one is. */
  readonly isProven: boolean;
  /** How many rows come after this one. */
  readonly newerCount: number;
}

export type UnrecordedVerdict =
  /** Leave it as it is: it will be sent. */
  'send' | 'sent' | 'unknown';

/** What is older was sent, or failed for good, as long as nothing waits. */
const recentMs = 3_600_000;

/** How many rows are held at the most. */
const heldLimit = 20;

export function decideUnrecorded(
  row: UnrecordedRow,
  { isProven, newerCount }: UnrecordedPlace,
  facts: UnrecordedFacts,
): UnrecordedVerdict {
  if (facts.unsent.has(row.id)) return 'send';
  if (row.deliverAfter !== null && row.deliverAfter > facts.now) return 'send';
  if (isProven || newerCount >= heldLimit) return 'sent';
  if (facts.isSomethingWaiting) return 'unknown';
  const ageMs = Date.parse(facts.now) - Date.parse(row.timestamp);
  return ageMs > recentMs ? 'sent' : 'unknown';
}
