/**
 * Keeps the right containers running. Level-triggered: reads desired and observed state, plans, applies, and looks
 * again until nothing is left to do. One look per session at a time, so that concurrent wakes start one container.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { toBerthError, type BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { Store } from '../store/store.js';
import type { StepExecutor } from './apply.js';
import { decideDesired } from './desired-state.js';
import type { ObservedState } from './observed-state.js';
import { planSteps } from './plan.js';
import type { ContainerRuntime } from './runtime/container-runtime.js';
import type { StartFailures } from './start-failures.js';

export interface ReconcilerDeps {
  readonly store: Store;
  readonly runtime: ContainerRuntime;
  readonly observed: ObservedState;
  readonly executor: StepExecutor;
  readonly startFailures: StartFailures;
  readonly clock: Clock;
  readonly log: Logger;
  /** The longest time between two listings, in milliseconds. */
  readonly resyncIntervalMs: number;
  readonly stopGraceMs: number;
  /** The engine does not answer (an error), or answers again (undefined). */
  readonly onEngineState: (problem: BerthError | undefined) => void;
}

/** While the engine is away it is asked this often, in milliseconds. */
const awayIntervalMs = 1_000;
const suspectIntervalMs = 20;
const suspicionMs = 3_000;

/** A session is brought to rest in a few rounds; more of them mean that a step does not do what it says. */
const maxRounds = 8;

export class Reconciler {
  readonly #deps: ReconcilerDeps;
  readonly #looks: SingleFlight;
  readonly #resync: PollLoop;
  /** Containers that were said to have ended and are still listed as running: the engine's list may lag. */
  readonly #suspects = new Map<string, number>();
  #problem: BerthError | undefined;
  #isStopping = false;

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
    this.#looks = new SingleFlight((sessionId) => this.#look(sessionId));
    this.#resync = new PollLoop({
      name: 'containers',
      look: () => this.#observe(),
      intervalMs: () => this.#nextResyncMs(),
      log: deps.log,
    });
  }

  start(): void {
    this.#deps.runtime.watchExits(({ sessionId, containerId }) => {
      this.#deps.log.debug({ sessionId, containerId }, 'container exit seen');
      this.#suspects.set(containerId, performance.now());
      this.#resync.nudge();
    });
    this.#resync.start();
  }

  /** Look at a session soon. */
  nudge(sessionId: string): void {
    if (this.#isStopping) return;
    // While the engine is away, somebody who waits is a reason to ask it again.
    if (this.#problem !== undefined) this.#resync.nudge();
    void this.#looks.request(sessionId);
  }

  /** Everything may have changed: look at every session that has a container. */
  nudgeAll(): void {
    this.#resync.nudge();
  }

  /** Starts nothing more; what is being started is waited for. Containers go on. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#resync.stop();
    await this.#looks.idle();
  }

  /** After stop: ends every running container. */
  async stopContainers(): Promise<void> {
    const { runtime, observed, executor, stopGraceMs, log } = this.#deps;
    const running = observed.list().filter(({ state }) => state === 'running');
    await Promise.all(
      running.map(async ({ containerId, owner: { sessionId } }) => {
        try {
          await runtime.stop(containerId, stopGraceMs);
          await executor.apply({ kind: 'settle', sessionId, wasExpected: true, startedAtMs: null });
          await executor.apply({ kind: 'remove', sessionId, containerId });
        } catch (err) {
          log.error({ err, sessionId, containerId }, 'container not stopped');
        }
      }),
    );
  }

  #nextResyncMs(): number {
    const { resyncIntervalMs } = this.#deps;
    if (this.#suspects.size > 0) return suspectIntervalMs;
    return this.#problem === undefined
      ? resyncIntervalMs
      : Math.min(resyncIntervalMs, awayIntervalMs);
  }

  /** What is not listed as running any more, or goes on running after all, is no suspect. */
  #clearSuspects(): void {
    const running = new Set(
      this.#deps.observed
        .list()
        .filter(({ state }) => state === 'running')
        .map(({ containerId }) => containerId),
    );
    for (const [containerId, since] of this.#suspects) {
      const isOver = performance.now() - since > suspicionMs;
      if (isOver || !running.has(containerId)) this.#suspects.delete(containerId);
    }
  }

  async #observe(): Promise<void> {
    const { runtime, observed, store } = this.#deps;
    const beganAt = performance.now();
    try {
      const containers = await runtime.list();
      const wasListed = observed.isListed;
      observed.replace(containers, beganAt);
      this.#clearSuspects();
      this.#setProblem(undefined);
      if (!wasListed) this.#nudgeWaiting();
    } catch (error) {
      const isNew = this.#problem === undefined;
      this.#setProblem(toBerthError(error));
      // Who comes later is told when it comes.
      if (isNew) for (const sessionId of this.#listWaiting()) void this.#looks.request(sessionId);
      return;
    }
    const sessionIds = new Set([
      ...observed.list().map(({ owner }) => owner.sessionId),
      ...store.sessions.listWithContainer().map(({ id }) => id),
    ]);
    for (const sessionId of sessionIds) this.nudge(sessionId);
  }

  #setProblem(problem: BerthError | undefined): void {
    const { log, onEngineState } = this.#deps;
    if (this.#problem?.code === problem?.code) return;
    this.#problem = problem;
    if (problem === undefined) {
      log.info({}, 'container engine answers again');
      this.#nudgeWaiting();
    } else {
      log.error({ err: problem }, 'container engine does not answer');
    }
    onEngineState(problem);
  }

  #listWaiting(): readonly string[] {
    const { store, clock } = this.#deps;
    return store.dueItems
      .listDue(isoAt(clock.now()), 10_000)
      .filter(({ kind }) => kind === 'wake')
      .map(({ sessionId }) => sessionId);
  }

  #nudgeWaiting(): void {
    for (const sessionId of this.#listWaiting()) this.nudge(sessionId);
  }

  /** While the engine is away, whoever waits is told, of each message once. */
  async #tellWaiting(sessionId: string): Promise<void> {
    const { store, observed, startFailures } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined || observed.listForSession(sessionId).length > 0) return;
    await startFailures.tellWaiting(session);
  }

  async #look(sessionId: string): Promise<void> {
    const { observed, executor, log } = this.#deps;
    try {
      for (let round = 0; round < maxRounds; round += 1) {
        if (this.#problem !== undefined) {
          await this.#tellWaiting(sessionId);
          return;
        }
        if (!observed.isListed || this.#isStopping) return;
        const steps = this.#plan(sessionId);
        if (steps.length === 0) return;
        for (const step of steps) await executor.apply(step);
      }
      log.error({ sessionId }, 'session does not come to rest');
    } catch (err) {
      // The next listing looks again.
      log.warn({ err, sessionId }, 'step failed');
    }
  }

  #plan(sessionId: string): ReturnType<typeof planSteps> {
    const { store, observed, executor, clock } = this.#deps;
    const session = store.sessions.find(sessionId);
    const wake = store.dueItems.find(sessionId, 'wake');
    const desired = decideDesired({
      session,
      hasAgentGroup:
        session !== undefined && store.agentGroups.find(session.agentGroupId) !== undefined,
      wake,
      now: isoAt(clock.now()),
    });
    return planSteps({
      sessionId,
      desired,
      containers: observed.listForSession(sessionId),
      attached: executor.attached,
      isNoted: session !== undefined && session.containerStatus !== 'stopped',
      hasWork: wake !== undefined,
    });
  }
}
