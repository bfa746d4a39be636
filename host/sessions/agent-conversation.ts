/**
 * The conversation of two agents. The first asks from its session; the other works in a session that is made for it and
 * for nobody else. The thread of that session is the id of the session that asks.
 */
import type { Address } from '../../shared/protocol/session-message.js';
import type { Session, SessionKey } from '../store/sessions.js';

/** Of addresses that lead to an agent; no channel has this name. */
export const agentChannelType = 'agent';

/** Where an agent works for the session that asks. */
export function workerKey(agentGroupId: string, askerId: string): SessionKey {
  return { agentGroupId, messagingGroupId: null, threadId: askerId };
}

/** The session that this one works for; undefined where people talk to it. */
export function askerOf({
  messagingGroupId,
  threadId,
}: Pick<Session, 'messagingGroupId' | 'threadId'>): string | undefined {
  return messagingGroupId === null && threadId?.startsWith('s-') === true ? threadId : undefined;
}

/** Where the answers of a session go that works for another; undefined where people talk to it. */
export function askerAddress(session: Session): Address | undefined {
  const asker = askerOf(session);
  if (asker === undefined) return undefined;
  return { channelType: agentChannelType, platformId: asker, threadId: session.id };
}
