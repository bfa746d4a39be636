/**
 * Completes a fresh inbound.db with what outbound.db and the central database know, before it is put in its place: what is
 * planned, and what may have been sent. The thread that writes inbound.db does it.
 */
import type { Session } from '../../store/sessions.js';
import { toTaskRow } from '../tasks/task-row.js';
import { findLostMessages, type LostMessage } from './lost-messages.js';
import type { Salvage } from './rebuild/fresh-file.js';
import type { RepairDeps } from './repair-deps.js';
import { recordUnrecorded } from './unrecorded-sends.js';

/** Messages and outcomes that could not be saved. */
export interface InboundLosses {
  readonly lost: readonly LostMessage[];
  /** Replies that may have been sent. */
  readonly unknown: readonly string[];
}

/** `hasAllAcks`: outbound.db tells what was answered. */
export async function completeInbound(
  deps: RepairDeps,
  session: Session,
  draft: string,
  { hasAllOutcomes }: Salvage,
  hasAllAcks: boolean,
): Promise<InboundLosses> {
  const { store, mailbox, inboundFiles, sessions, clock } = deps;
  const lost = await findLostMessages(deps, session, draft, hasAllAcks);
  const deliveries = hasAllOutcomes ? [] : await recordUnrecorded(deps, session.id, draft);
  const { routing } = await inboundFiles.call(draft, 'summarize', []);
  const tasks = store.tasks.listForSession(session.id).filter(({ pausedAt }) => pausedAt === null);
  const request = {
    // A run that is there stays as it is.
    rows: tasks.map((task) => toTaskRow(store, session, task)),
    outboundMaxSeq: await mailbox.outbound(session.id, 'maxSeq'),
    ...(routing === null ? {} : { routing }),
    ...sessions.projectionOf(session),
  };
  await inboundFiles.call(draft, 'append', [request]);
  await inboundFiles.call(draft, 'recordDeliveries', [deliveries, [], clock.now()]);
  await inboundFiles.release(draft);
  const unknown = deliveries.filter(({ status }) => status === 'failed');
  return { lost, unknown: unknown.map(({ messageOutId }) => messageOutId) };
}
