import type { DesiredState } from './desired-state.js';
import type { ObservedContainer } from './spec/container-runtime.js';
import type { Step } from './step.js';

export interface PlanFacts {
  readonly sessionId: string;
  readonly desired: DesiredState;
  readonly containers: readonly ObservedContainer[];
  /** Containers that this daemon started or took over. */
  readonly attached: ReadonlySet<string>;
  /** The session is noted as having a container. */
  readonly isNoted: boolean;
  /** Messages wait in the session. */
  readonly hasWork: boolean;
}

/** Plans what to do, in order, to bring one session's containers to the desired state. */
export function planSteps(facts: PlanFacts): readonly Step[] {
  const { sessionId, desired, containers, attached } = facts;
  const running = containers.filter(({ state }) => state === 'running').sort(newestFirst);
  const kept = desired.kind === 'absent' ? undefined : running[0];
  const surplus = running.filter((one) => one !== kept);
  const cleanUp = planCleanUp(facts, surplus, kept === undefined);
  if (kept !== undefined) {
    if (attached.has(kept.containerId)) return cleanUp;
    return [...cleanUp, { kind: 'adopt', sessionId, containerId: kept.containerId }];
  }
  // A start comes after the clean-up has been seen to be done.
  if (cleanUp.length > 0 || desired.kind !== 'running') return cleanUp;
  return [{ kind: 'start', sessionId, isPrewarmed: desired.isPrewarmed }];
}

/** Takes away what must not run, and what has ended; before that, what the session's last container left is settled. */
function planCleanUp(
  { sessionId, desired, containers, isNoted, hasWork }: PlanFacts,
  surplus: readonly ObservedContainer[],
  isLast: boolean,
): readonly Step[] {
  const ended = containers.filter(({ state }) => state === 'exited');
  const gone = [...surplus, ...ended];
  const why =
    desired.kind === 'absent'
      ? desired
      : { reason: 'its session has a newer one', failsTurn: false };
  const { reason, failsTurn } = why;
  const steps: Step[] = surplus.map(({ containerId }) => ({
    kind: 'stop',
    sessionId,
    containerId,
    reason,
    failsTurn,
  }));
  const hasVanished = isNoted && containers.length === 0;
  const isAbandoned = desired.kind === 'absent' && hasWork;
  if (isLast && (gone.length > 0 || hasVanished || isAbandoned)) {
    const startedAtMs = gone.length === 0 ? null : Math.max(...gone.map((one) => one.startedAtMs));
    steps.push({ kind: 'settle', sessionId, wasExpected: desired.kind === 'absent', startedAtMs });
  }
  for (const { containerId } of gone) steps.push({ kind: 'remove', sessionId, containerId });
  return steps;
}

function newestFirst(a: ObservedContainer, b: ObservedContainer): number {
  return b.startedAtMs - a.startedAtMs;
}
