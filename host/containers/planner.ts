/**
 * Gathers what is true of one session, and plans by it. Also plans when to check again, where time alone may change it.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { heartbeatPath } from '../../shared/protocol/workspace.js';
import type { SessionFolders } from '../sessions/session-folder.js';
import type { OpenWork } from '../sessions/mailbox/open-work.js';
import { readContainerConfig, type ContainerConfig } from '../store/container-config.js';
import type { AgentGroup } from '../store/agent-groups.js';
import type { DueItem } from '../store/due-items.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { decideDesired, type DesiredFacts, type DesiredState } from './desired-state.js';
import type { ObservedState } from './observed-state.js';
import type { Outdated } from './outdated.js';
import { planSteps } from './plan.js';
import type { ContainerRuntime, ObservedContainer } from './spec/container-runtime.js';
import type { Step } from './step.js';
import { unreadable, type Liveness } from './liveness.js';
import type { StartQueue } from './admission/start-queue.js';

export interface PlannerDeps {
  readonly store: Store;
  readonly observed: ObservedState;
  readonly liveness: Liveness;
  readonly openWork: OpenWork;
  readonly folders: SessionFolders;
  readonly startQueue: StartQueue;
  readonly outdated: Outdated;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
}

type Comparison = Pick<DesiredFacts, 'difference' | 'isBusy' | 'isImageReady'>;

const fits: Comparison = { difference: undefined, isBusy: false, isImageReady: true };

export class Planner {
  readonly #deps: PlannerDeps;
  /** By session: what else its container was found to do wrong. */
  readonly #stuckReasons = new Map<string, string>();
  /** By session: why its container is to be replaced at once. */
  readonly #restarts = new Map<string, string>();

  constructor(deps: PlannerDeps) {
    this.#deps = deps;
  }

  /** Plans what to do now. `attached`: containers that this daemon started or took over. */
  async plan(sessionId: string, attached: ReadonlySet<string>): Promise<readonly Step[]> {
    const { store, observed, startQueue, clock } = this.#deps;
    const session = store.sessions.find(sessionId);
    const group = session && store.agentGroups.find(session.agentGroupId);
    const wake = store.dueItems.find(sessionId, 'wake');
    const containers = observed.listForSession(sessionId);
    const running = containers.find(({ state }) => state === 'running');
    const now = isoAt(clock.now());
    const config = readContainerConfig(group?.containerConfig ?? null);
    if (running === undefined) this.#forgetContainer(sessionId);
    const needsRepair = this.#needsRepair(session);
    const stuckReason = needsRepair
      ? undefined
      : await this.#findStuckReason(session, running, wake, config);
    const comparison = await this.#compare(session, needsRepair ? undefined : group, running, wake);
    const desired = decideDesired({
      ...comparison,
      session,
      hasAgentGroup: group !== undefined,
      wake,
      now,
      isRunning: running !== undefined,
      stuckReason,
      restartReason: this.#restarts.get(sessionId),
      idleTimeoutMs: config.idleTimeoutMs,
      mustGivePlace: startQueue.mustGivePlace(sessionId),
      needsRepair,
    });
    this.#noteComparison(sessionId, comparison, desired);
    if (desired.kind !== 'running') startQueue.leave(sessionId);
    if (running !== undefined && session !== undefined) this.#planIdleCheck(session, config);
    return planSteps({
      sessionId,
      desired,
      containers,
      attached,
      isNoted: session !== undefined && session.containerStatus !== 'stopped',
      hasWork: wake !== undefined || needsRepair,
    });
  }

  /** Is what it was started with still what is there? The rest is found out only where it is not. */
  async #compare(
    session: Session | undefined,
    group: AgentGroup | undefined,
    running: ObservedContainer | undefined,
    wake: DueItem | undefined,
  ): Promise<Comparison> {
    if (session === undefined || group === undefined || running === undefined) return fits;
    const { outdated, openWork, runtime, clock } = this.#deps;
    const difference = await outdated.find(session, group, running);
    if (difference === undefined) return fits;
    // Its files may be gone with its folder; and nothing that it does counts any more.
    if (difference.isCutOff) return { ...fits, difference };
    const hasWork = wake !== undefined && wake.dueAt <= isoAt(clock.now());
    const { claimed } = hasWork ? await openWork.listUnderWay(session) : { claimed: [] };
    const isBusy = claimed === undefined || claimed.length > 0;
    if (difference.part !== 'image') return { difference, isBusy, isImageReady: true };
    // An engine that does not tell has nothing to start from, either.
    const isImageReady = await runtime.hasImage().catch(() => false);
    return { difference, isBusy, isImageReady };
  }

  #noteComparison(
    sessionId: string,
    { difference, isBusy }: Comparison,
    { kind }: DesiredState,
  ): void {
    const { outdated } = this.#deps;
    if (difference !== undefined && kind === 'absent') outdated.noteReplaced(sessionId, difference);
    else if (difference !== undefined && isBusy) outdated.noteWaiting(sessionId, difference);
    else outdated.forgetWaiting(sessionId);
  }

  /** Its running container is to be ended as a stuck one, for this reason. */
  markStuck(sessionId: string, reason: string): void {
    this.#stuckReasons.set(sessionId, reason);
  }

  /** Its running container is to be ended, and what it works on given to a new one; the try does not count. */
  restart(sessionId: string, reason: string): void {
    this.#restarts.set(sessionId, reason);
  }

  /** A quarantined session stays as it is. */
  #needsRepair(session: Session | undefined): boolean {
    if (session === undefined || session.status === 'set-aside') return false;
    return this.#deps.store.repairs.isWanted(session.id);
  }

  #forgetContainer(sessionId: string): void {
    const { store, liveness } = this.#deps;
    liveness.forget(sessionId);
    this.#stuckReasons.delete(sessionId);
    this.#restarts.delete(sessionId);
    this.#deps.outdated.forget(sessionId);
    for (const kind of ['idle', 'stuck'] as const) {
      if (store.dueItems.find(sessionId, kind) !== undefined) store.dueItems.clear(sessionId, kind);
    }
  }

  async #findStuckReason(
    session: Session | undefined,
    running: ObservedContainer | undefined,
    wake: DueItem | undefined,
    limits: ContainerConfig,
  ): Promise<string | undefined> {
    const { liveness, openWork, folders, clock } = this.#deps;
    if (session === undefined || running === undefined) return undefined;
    const { containerId } = running;
    const knownReason = this.#stuckReasons.get(session.id);
    if (knownReason !== undefined) return knownReason;
    if (wake === undefined || wake.dueAt > isoAt(clock.now())) {
      liveness.rest(session.id);
      return undefined;
    }
    let checkInMs = liveness.watch(session.id, containerId, limits);
    if (checkInMs === 0) {
      const { claimed } = await openWork.listUnderWay(session);
      const heartbeat = heartbeatPath(folders.outDir(session.id));
      const oldest = claimed === undefined ? unreadable : claimed[0];
      const signs = { containerId, heartbeatPath: heartbeat, claimed: oldest };
      const health = await liveness.check(session.id, signs, limits);
      if (health.kind === 'stuck') return health.reason;
      checkInMs = health.checkInMs;
    }
    this.#planCheck(session.id, 'stuck', checkInMs);
    return undefined;
  }

  #planIdleCheck(session: Session, { idleTimeoutMs }: ContainerConfig): void {
    if (session.status !== 'active') return;
    const lastUse = Date.parse(session.lastActive ?? session.createdAt);
    const leftMs = lastUse + idleTimeoutMs - this.#deps.clock.now();
    // The container may be busy for longer than that.
    this.#planCheck(session.id, 'idle', leftMs > 0 ? leftMs : idleTimeoutMs);
  }

  /** A check that is planned earlier will find out by itself when to come again: this saves a write for each message. */
  #planCheck(sessionId: string, kind: 'idle' | 'stuck', inMs: number): void {
    const { store, clock } = this.#deps;
    const nowMs = clock.now();
    const dueAt = isoAt(nowMs + Math.ceil(inMs));
    const known = store.dueItems.find(sessionId, kind);
    if (known !== undefined && known.dueAt > isoAt(nowMs) && known.dueAt <= dueAt) return;
    store.dueItems.set({ sessionId, kind, dueAt, attempts: 0 });
  }
}
