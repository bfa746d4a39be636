import type { DueItem } from '../store/due-items.js';
import type { Session } from '../store/sessions.js';
import type { Difference } from './spec/fingerprint.js';

/** The state that a session's container should be in. */
export type DesiredState =
  /** `isPrewarmed`: nobody waits for it, so that it only runs where there is room. */
  | { readonly kind: 'running'; readonly isPrewarmed: boolean }
  | {
      readonly kind: 'absent';
      readonly reason: string;
      /** The turn that it ends by this has failed. */
      readonly failsTurn: boolean;
    }
  /** A running one may go on, none needs to be started. */
  | { readonly kind: 'either' };

export interface DesiredFacts {
  readonly session: Session | undefined;
  readonly hasAgentGroup: boolean;
  readonly wake: DueItem | undefined;
  /** ISO-8601. */
  readonly now: string;
  readonly isRunning: boolean;
  /** Why its turn is taken for stuck; undefined where it is not. */
  readonly stuckReason: string | undefined;
  /** Why it is to be replaced by a new one at once; undefined where nobody has asked for that. */
  readonly restartReason: string | undefined;
  /** The difference between the running one and what would be started now; undefined: nothing. */
  readonly difference: Difference | undefined;
  /** The container is in the middle of a turn, or that cannot be told. */
  readonly isBusy: boolean;
  /** The image that would be started now is there. */
  readonly isImageReady: boolean;
  /** How long a container with nothing to do is kept, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** Its files are damaged, and nobody may use them. */
  readonly needsRepair: boolean;
  /** Another session waits for its place. */
  readonly mustGivePlace: boolean;
}

export function decideDesired(facts: DesiredFacts): DesiredState {
  const { session, hasAgentGroup, isRunning, stuckReason } = facts;
  if (session === undefined) return absent('its session does not exist');
  if (session.status !== 'active' && session.status !== 'warm') {
    return absent(`its session is ${session.status}`);
  }
  if (!hasAgentGroup) return absent('its agent group does not exist');
  if (isRunning && stuckReason !== undefined) {
    return { kind: 'absent', reason: stuckReason, failsTurn: true };
  }
  if (facts.needsRepair) return absent('its files are to be repaired');
  if (isRunning && facts.restartReason !== undefined) return absent(facts.restartReason);
  const outdated = isRunning ? decideOutdated(session, facts) : undefined;
  if (outdated !== undefined) return absent(outdated.reason);
  return decideByWork(session, facts);
}

/**
 * Decides what is to be replaced at once; a container that works goes on to the end of its turn, if that reaches
 * anybody.
 */
function decideOutdated(
  { status }: Session,
  { difference, isBusy, isImageReady }: DesiredFacts,
): Difference | undefined {
  if (difference === undefined) return undefined;
  if (difference.isCutOff) return difference;
  // An old image serves better than none; but nobody begins with it.
  const mustWait = difference.part === 'image' && !isImageReady && status !== 'warm';
  return isBusy || mustWait ? undefined : difference;
}

function decideByWork(session: Session, facts: DesiredFacts): DesiredState {
  const { wake, now, isRunning, mustGivePlace, idleTimeoutMs } = facts;
  const isPrewarmed = session.status === 'warm';
  if (wake !== undefined && wake.dueAt <= now) return { kind: 'running', isPrewarmed };
  if (isRunning && mustGivePlace) return absent('another session needs its place');
  // A prewarmed session has a wake only where its start has failed and is to be tried later.
  if (isPrewarmed)
    return wake === undefined ? { kind: 'running', isPrewarmed: true } : { kind: 'either' };
  const idleMs = Date.parse(now) - Date.parse(session.lastActive ?? session.createdAt);
  if (isRunning && idleMs >= idleTimeoutMs) return absent('it had nothing to do');
  return { kind: 'either' };
}

function absent(reason: string): DesiredState {
  return { kind: 'absent', reason, failsTurn: false };
}
