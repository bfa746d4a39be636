import type { DueItem } from '../store/due-items.js';
import type { Session } from '../store/sessions.js';

/** What should be true of a session's container. */
export type DesiredState =
  | { readonly kind: 'running' }
  | { readonly kind: 'absent'; readonly reason: string }
  /** A running one may go on, none needs to be started. */
  | { readonly kind: 'either' };

export interface DesiredFacts {
  readonly session: Session | undefined;
  readonly hasAgentGroup: boolean;
  readonly wake: DueItem | undefined;
  /** ISO-8601. */
  readonly now: string;
}

export function decideDesired(facts: DesiredFacts): DesiredState {
  const { session, hasAgentGroup, wake, now } = facts;
  if (session === undefined) return { kind: 'absent', reason: 'its session does not exist' };
  if (session.status !== 'active')
    return { kind: 'absent', reason: `its session is ${session.status}` };
  if (!hasAgentGroup) return { kind: 'absent', reason: 'its agent group does not exist' };
  if (wake !== undefined && wake.dueAt <= now) return { kind: 'running' };
  return { kind: 'either' };
}
