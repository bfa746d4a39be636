/**
 * Keeps the right containers running. Level-triggered: reads desired and observed state, plans, applies, and reads
 * again until nothing is left to do. There is one pass per session at a time, so that concurrent wakes start one
 * container.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { toBerthError, type BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { Store } from '../store/store.js';
import type { StepExecutor } from './apply.js';
import type { ObservedState } from './observed-state.js';
import type { Outdated } from './outdated.js';
import type { Planner } from './planner.js';
import type { PostureWatch } from './posture-watch.js';
import { Suspects } from './suspects.js';
import type { ContainerRuntime } from './spec/container-runtime.js';
import type { WaitingNotices } from './admission/waiting-notices.js';
import type { StartQueue } from './admission/start-queue.js';

export interface ReconcilerDeps {
  readonly store: Store;
  readonly runtime: ContainerRuntime;
  readonly observed: ObservedState;
  readonly executor: StepExecutor;
  readonly planner: Planner;
  readonly startQueue: StartQueue;
  readonly outdated: Outdated;
  readonly postureWatch: PostureWatch;
  readonly notices: WaitingNotices;
  readonly clock: Clock;
  readonly log: Logger;
  /** The longest time between two listings, in milliseconds. */
  readonly resyncIntervalMs: number;
  readonly stopGraceMs: number;
  /** The pass over a session failed: its files may be damaged. */
  readonly onTrouble: (sessionId: string, error: unknown) => void;
  /** The engine does not answer (an error), or answers again (undefined). */
  readonly onEngineState: (problem: BerthError | undefined) => void;
}

/** While the engine is away it is asked this often, in milliseconds. */
const awayIntervalMs = 1_000;
const suspectIntervalMs = 20;

/** How often every session with a container is examined though the listings say nothing new: the safety net. */
const fullPassEveryMs = 60_000;

/** A session is brought to rest in a few rounds; more of them mean that a step does not do what it says. */
const maxRounds = 8;

export class Reconciler {
  readonly #deps: ReconcilerDeps;
  readonly #passes: SingleFlight;
  readonly #resync: PollLoop;
  readonly #suspects = new Suspects();
  /** Sessions that the last pass did not bring to rest: the next listing leads to another. */
  readonly #restless = new Set<string>();
  /** By performance.now(). */
  #fullPassAt = 0;
  #problem: BerthError | undefined;
  #isStopping = false;
  #noteFirstListing: () => void = () => undefined;
  /** Resolves when the runtime has answered for the first time, or has not. */
  readonly firstListing: Promise<void>;

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
    this.firstListing = new Promise((resolve) => (this.#noteFirstListing = resolve));
    this.#passes = new SingleFlight((sessionId) => this.#pass(sessionId));
    this.#resync = new PollLoop({
      name: 'containers',
      poll: () => this.#observe().finally(this.#noteFirstListing),
      intervalMs: () => this.#nextResyncMs(),
      log: deps.log,
    });
  }

  start(): void {
    // None is given to a conversation before it was compared with what would be started now.
    this.#deps.store.sessions.doubtPrewarmed();
    this.#deps.runtime.watchExits(({ sessionId, containerId }) => {
      this.#deps.log.debug({ sessionId, containerId }, 'container exit seen');
      this.#suspects.add(containerId);
      this.#resync.nudge();
    });
    this.#deps.startQueue.start();
    this.#resync.start();
  }

  /** Asks for a pass over a session soon. */
  nudge(sessionId: string): void {
    if (this.#isStopping) return;
    // While the engine is away, somebody who waits is a reason to ask it again.
    if (this.#problem !== undefined) this.#resync.nudge();
    void this.#passes.request(sessionId);
  }

  /** Of the session's running container; undefined where none runs, as far as is known. */
  findRunning(sessionId: string): string | undefined {
    const { observed } = this.#deps;
    return observed.listForSession(sessionId).find(({ state }) => state === 'running')?.containerId;
  }

  /** Its container keeps others from the session: it is ended like one whose turn hangs. False: none runs. */
  endStuck(sessionId: string, reason: string): boolean {
    if (!this.#isRunning(sessionId)) return false;
    this.#deps.planner.markStuck(sessionId, reason);
    this.nudge(sessionId);
    return true;
  }

  /** Ends its container; where messages wait, a new one is started. False: none runs. */
  restart(sessionId: string, reason: string): boolean {
    if (!this.#isRunning(sessionId)) return false;
    this.#deps.planner.restart(sessionId, reason);
    this.nudge(sessionId);
    return true;
  }

  /** Everything may have changed: every session that has a container is examined. */
  nudgeAll(): void {
    this.#fullPassAt = 0;
    this.#resync.nudge();
  }

  /** A session has come to rest: its container may make room for another, or is to be replaced. */
  noteRest(): void {
    this.#deps.startQueue.serve();
    for (const sessionId of this.#deps.outdated.listWaiting()) this.nudge(sessionId);
  }

  /** Starts nothing more; what is being started is waited for. Containers go on. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#deps.startQueue.stop();
    await this.#resync.stop();
    await this.#passes.idle();
    await this.#deps.postureWatch.idle();
  }

  /** Sessions whose containers run, as far as is known. */
  listRunning(): readonly string[] {
    const running = this.#deps.observed.list().filter(({ state }) => state === 'running');
    return [...new Set(running.map(({ owner }) => owner.sessionId))];
  }

  /** After stop: ends every running container. */
  async stopContainers(): Promise<void> {
    const { runtime, observed, executor, stopGraceMs, log } = this.#deps;
    const running = observed.list().filter(({ state }) => state === 'running');
    await Promise.all(
      running.map(async ({ containerId, owner: { sessionId } }) => {
        let problem = 'container not stopped';
        try {
          await runtime.stop(containerId, stopGraceMs);
          observed.noteExit(containerId);
          // The next daemon does what is left undone here.
          problem = 'stopped container not dealt with';
          const reason = 'the daemon stops';
          const end = { sessionId, wasExpected: true, reason, startedAtMs: null };
          await executor.apply({ kind: 'settle', ...end });
          await executor.apply({ kind: 'remove', sessionId, containerId });
        } catch (err) {
          log.error({ err, sessionId, containerId }, problem);
        }
      }),
    );
  }

  #nextResyncMs(): number {
    const { resyncIntervalMs } = this.#deps;
    if (this.#suspects.hasAny) return suspectIntervalMs;
    return this.#problem === undefined
      ? resyncIntervalMs
      : Math.min(resyncIntervalMs, awayIntervalMs);
  }

  async #observe(): Promise<void> {
    const { runtime, observed, startQueue } = this.#deps;
    const beganAt = performance.now();
    try {
      const containers = await runtime.list();
      const wasListed = observed.isListed;
      const isNews = observed.replace(containers, beganAt);
      this.#suspects.clear(this.#deps.observed);
      const isBack = this.#setProblem(undefined);
      startQueue.sync();
      if (!wasListed || isBack) await this.#examineWaiting();
      if (isNews || isBack) this.#fullPassAt = 0;
    } catch (error) {
      const isNew = this.#problem === undefined;
      this.#setProblem(toBerthError(error));
      // A message that comes later is told of it when it comes.
      if (isNew) await this.#examineWaiting();
      return;
    }
    for (const sessionId of this.#listToExamine()) this.nudge(sessionId);
  }

  #listToExamine(): ReadonlySet<string> {
    const { observed, store } = this.#deps;
    const nowMs = performance.now();
    if (nowMs < this.#fullPassAt) return this.#restless;
    this.#fullPassAt = nowMs + fullPassEveryMs;
    return new Set([
      ...observed.list().map(({ owner }) => owner.sessionId),
      ...store.sessions.listWithContainer().map(({ id }) => id),
    ]);
  }

  /** Whether this has changed anything. */
  #setProblem(problem: BerthError | undefined): boolean {
    const { log, onEngineState } = this.#deps;
    if (this.#problem?.code === problem?.code) return false;
    this.#problem = problem;
    if (problem === undefined) {
      log.info({}, 'container engine answers again');
    } else {
      log.error({ err: problem }, 'container engine does not answer');
    }
    onEngineState(problem);
    return true;
  }

  /** A few at a time: there may be thousands, and each pass reads several rows. */
  async #examineWaiting(): Promise<void> {
    const { store, clock } = this.#deps;
    const due = store.dueItems.listDue(isoAt(clock.now()), 10_000);
    for (const [index, { kind, sessionId }] of due.entries()) {
      if (kind === 'wake' && !this.#isStopping) void this.#passes.request(sessionId);
      if (index % 20 === 19) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** While the engine is away, whoever waits is told, of each message once. */
  async #tellWaiting(sessionId: string): Promise<void> {
    const { store, observed, notices } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined || observed.listForSession(sessionId).length > 0) return;
    await notices.tellTrouble(session);
  }

  #isRunning(sessionId: string): boolean {
    return this.#deps.observed.listForSession(sessionId).some(({ state }) => state === 'running');
  }

  /** A session that waits for its turn is not examined each time another one moves. */
  #isKeptWaiting(sessionId: string): boolean {
    const { startQueue, observed, store } = this.#deps;
    return (
      this.#problem === undefined &&
      startQueue.isKeptWaiting(sessionId) &&
      observed.listForSession(sessionId).length === 0 &&
      store.sessions.find(sessionId)?.status === 'active' &&
      !store.repairs.isWanted(sessionId)
    );
  }

  async #pass(sessionId: string): Promise<void> {
    const { observed, executor, planner, log } = this.#deps;
    if (this.#isKeptWaiting(sessionId)) return;
    this.#restless.delete(sessionId);
    try {
      for (let round = 0; round < maxRounds; round += 1) {
        if (this.#problem !== undefined) {
          await this.#tellWaiting(sessionId);
          return;
        }
        if (!observed.isListed || this.#isStopping) return;
        const steps = await planner.plan(sessionId, executor.attached);
        if (steps.length === 0) return;
        for (const step of steps) await executor.apply(step);
        // The session waits for its turn, or until it may be tried again: another pass tells that.
        if (steps.some(({ kind }) => kind === 'start') && !this.#isRunning(sessionId)) return;
      }
      log.error({ sessionId }, 'session does not come to rest');
      this.#restless.add(sessionId);
    } catch (err) {
      this.#restless.add(sessionId);
      log.warn({ err, sessionId }, 'step failed');
      this.#deps.onTrouble(sessionId, err);
    }
  }
}
