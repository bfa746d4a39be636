/** Decides on the messages that are open. Pure: everything is passed in. */
import { isoAt } from '../../../shared/base/clock.js';
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { InboundOutcome } from '../../../shared/protocol/mailbox/inbound-settlement.js';
import type { AckRecord } from '../../../shared/protocol/mailbox/outbound-acks.js';
import type { Session } from '../../store/sessions.js';
import { waitsTooLong } from '../clock-jumps.js';
import { failuresInRound, planRetry, type RetryLimits } from '../retry-policy.js';
import { isPlanned } from '../tasks/task-series.js';
import type { SeenWork } from './facts.js';

export interface SettlementFacts extends SeenWork {
  readonly session: Session;
  /**
   * Given when the container has ended: what is claimed then, and what it was stopped for, counts as a failed try.
   */
  readonly stoppedFor: ReadonlySet<string> | undefined;
  readonly limits: RetryLimits;
  readonly nowMs: number;
  /** In [0, 1): spreads equal waits. */
  readonly chance: () => number;
  /** Its time was set by a clock that was far ahead. */
  readonly isMisplanned: (row: OpenInbound) => boolean;
}

/** An outcome of one row; of a failure, how many there were in a row. */
export interface Decision {
  readonly row: OpenInbound;
  readonly outcome: InboundOutcome;
  readonly failures?: number;
}

/** In a session that is not in use any more, and whose container has ended, nobody will work on what is open. */
export function decideSettlement(facts: SettlementFacts): readonly Decision[] {
  const { session, open, acks, stoppedFor, nowMs } = facts;
  if (stoppedFor !== undefined && session.status !== 'active') {
    return decideEnd(session, { open, acks }, nowMs);
  }
  return open.flatMap((row) => decideRow(row, facts) ?? []);
}

/**
 * Nobody will work on these any more: what is not completed has failed. Context is not read any more. A message that is
 * planned for later ends with its session only.
 */
export function decideEnd(
  session: Session,
  { open, acks }: SeenWork,
  nowMs: number,
): readonly Decision[] {
  const now = isoAt(nowMs);
  return open.flatMap((row): readonly Decision[] => {
    const decided = (status: 'completed' | 'failed' | 'cancelled'): readonly Decision[] => [
      { row, outcome: { id: row.id, status } },
    ];
    if (acks.get(row.id)?.status === 'completed') return decided('completed');
    if (row.status === 'context') return decided('cancelled');
    if (!isPlanned(row, now)) return decided('failed');
    return session.status === 'active' ? [] : decided('cancelled');
  });
}

function decideRow(row: OpenInbound, facts: SettlementFacts): Decision | undefined {
  const { acks, stoppedFor, limits, nowMs, isMisplanned } = facts;
  const { id } = row;
  const verdict =
    stoppedFor?.has(id) === true
      ? readStopped(acks.get(id))
      : readAck(row, acks.get(id), stoppedFor !== undefined);
  switch (verdict) {
    case 'completed':
      return { row, outcome: { id, status: 'completed' } };
    case 'failed':
      return decideFailure(row, facts);
    case 'open':
      if (isMisplanned(row)) return { row, outcome: { id, status: 'moved' } };
      if (!waitsTooLong(row, limits, nowMs)) return undefined;
      return { row, outcome: { id, status: 'reschedule', processAfter: isoAt(nowMs) } };
  }
}

function decideFailure(row: OpenInbound, { limits, nowMs, chance }: SettlementFacts): Decision {
  const { id } = row;
  const failures = failuresInRound(row.tries, limits) + 1;
  const plan = planRetry(failures, limits, chance());
  if (plan.kind === 'give-up') return { row, outcome: { id, status: 'failed' }, failures };
  const processAfter = isoAt(nowMs + plan.waitMs);
  return { row, outcome: { id, status: 'retry', processAfter }, failures };
}

/** Its container was stopped because of it: only what it has completed before counts. */
function readStopped(ack: AckRecord | undefined): 'completed' | 'failed' {
  return ack?.status === 'completed' ? 'completed' : 'failed';
}

/** An ack of fewer tries than the row has belongs to an earlier try, which has been dealt with. */
function readAck(
  row: OpenInbound,
  ack: AckRecord | undefined,
  containerEnded: boolean,
): 'completed' | 'failed' | 'open' {
  if (ack === undefined) return 'open';
  if (ack.status === 'completed') return 'completed';
  if (ack.tries < row.tries) return 'open';
  if (ack.status === 'failed') return 'failed';
  return containerEnded ? 'failed' : 'open';
}
