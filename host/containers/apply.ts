/** Carries out the reconciler's steps: one executor for each kind. */
import type { Clock } from '../../shared/base/clock.js';
import { BerthError, toBerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { SessionFolders } from '../sessions/session-folder.js';
import type { OpenWork } from '../sessions/mailbox/open-work.js';
import { isProviderName, parseProviderOptions } from '../../shared/protocol/provider-table.js';
import { parseContainerConfig } from '../store/container-config.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { ContainerEvents } from './container-events.js';
import { containerSpecFor } from './spec/container-spec.js';
import { findLastError } from './last-error.js';
import { formatFingerprint } from './spec/fingerprint.js';
import type { Fingerprints } from './spec/fingerprints.js';
import { assertMountsAllowed } from './spec/mount-policy.js';
import type { ObservedState } from './observed-state.js';
import type { PostureWatch } from './posture-watch.js';
import { assertProviderAllowed } from './spec/provider-policy.js';
import type {
  ContainerRuntime,
  ContainerSpec,
  ObservedContainer,
} from './spec/container-runtime.js';
import type { StartFailures } from './start-failures.js';
import type { StartQueue } from './admission/start-queue.js';
import type { Step, StepKind } from './step.js';

export interface ApplyDeps {
  readonly store: Store;
  readonly runtime: ContainerRuntime;
  readonly folders: SessionFolders;
  readonly observed: ObservedState;
  readonly startFailures: StartFailures;
  readonly startQueue: StartQueue;
  readonly openWork: OpenWork;
  readonly fingerprints: Fingerprints;
  readonly postureWatch: PostureWatch;
  readonly clock: Clock;
  readonly log: Logger;
  readonly installId: string;
  readonly groupsDir: string;
  /** The file that a session's container writes its output to. */
  readonly logPath: (sessionId: string) => string;
  /** `uid:gid`. */
  readonly user: string;
  readonly unisolatedProviders: readonly string[];
  readonly stopGraceMs: number;
  /** A session's container runs: its outbound.db may change from now on. */
  readonly onRunning: (sessionId: string) => void;
  /**
   * A session's container has ended, and the try of the messages that were stopped in a turn has failed with it;
   * resolves when what it left behind has been dealt with. `why`: a sentence.
   */
  readonly onEnded: (
    sessionId: string,
    stoppedInTurn: ReadonlySet<string>,
    why: string,
  ) => Promise<void>;
}

/** A run that ends sooner than this counts as a failed start. */
const shortRunMs = 10_000;

export class StepExecutor {
  readonly #deps: ApplyDeps;
  readonly #events: ContainerEvents;
  /** Containers whose output this daemon follows. */
  readonly #attached = new Set<string>();
  /** By session: the messages that its container was stopped for. */
  readonly #stoppedInTurn = new Map<string, ReadonlySet<string>>();
  /** By session: why its container was stopped. */
  readonly #stopReasons = new Map<string, string>();

  constructor(deps: ApplyDeps) {
    this.#deps = deps;
    this.#events = new ContainerEvents(deps);
  }

  get attached(): ReadonlySet<string> {
    return this.#attached;
  }

  async apply(step: Step): Promise<void> {
    const executors: { [K in StepKind]: (step: Extract<Step, { kind: K }>) => Promise<void> } = {
      start: (it) => this.#startIfAdmitted(it),
      adopt: (it) => this.#adopt(it),
      stop: (it) => this.#stop(it),
      settle: (it) => this.#settle(it),
      remove: (it) => this.#remove(it.containerId),
    };
    const execute = executors[step.kind] as (step: Step) => Promise<void>;
    await execute(step);
  }

  async #startIfAdmitted(step: Extract<Step, { kind: 'start' }>): Promise<void> {
    const { store, startQueue, startFailures } = this.#deps;
    const session = store.sessions.find(step.sessionId);
    if (session === undefined) return;
    try {
      if (!startQueue.admit(session, step.isPrewarmed)) return;
    } catch (error) {
      await startFailures.note(session, toBerthError(error));
      return;
    }
    let isRunning = false;
    try {
      isRunning = await this.#start(session);
    } finally {
      startQueue.started(session.id, isRunning);
    }
  }

  /** Whether it runs now. */
  async #start(session: Session): Promise<boolean> {
    const { store, runtime, observed, clock, startFailures, log, onRunning } = this.#deps;
    const { id: sessionId } = session;
    const beganAt = performance.now();
    try {
      const spec = await this.#prepareSpec(session);
      this.#events.noteStarting(session);
      log.debug({ sessionId }, 'container starting');
      const containerId = await runtime.start(spec);
      this.#attached.add(containerId);
      observed.note({
        containerId,
        owner: spec.owner,
        state: 'running',
        startedAtMs: clock.now(),
        exitCode: null,
        fingerprint: spec.fingerprint,
      });
      const durationMs = Math.round(performance.now() - beganAt);
      this.#events.noteRunning(session, { containerId, durationMs });
      log.info({ sessionId, containerId, durationMs }, 'container started');
      // The wake had put the start off; a prewarmed session has no other work.
      if (session.status === 'warm') store.dueItems.clear(sessionId, 'wake');
      onRunning(sessionId);
      this.#deps.postureWatch.begin({ sessionId, containerId, posture: spec.posture });
      return true;
    } catch (error) {
      store.sessions.setContainerStatus(sessionId, 'stopped');
      await startFailures.note(session, toBerthError(error));
      return false;
    }
  }

  async #prepareSpec(session: Session): Promise<ContainerSpec> {
    const { store, folders, fingerprints, installId, groupsDir, user, logPath } = this.#deps;
    const group = store.agentGroups.find(session.agentGroupId);
    if (group === undefined)
      throw new BerthError('not_found', 'The agent group of this session is gone.');
    const config = parseContainerConfig(group.containerConfig);
    const runner = fingerprints.runnerConfigOf(session, group);
    const { name: provider, options } = runner.provider;
    assertProviderAllowed(provider, this.#deps.runtime, this.#deps.unisolatedProviders);
    if (isProviderName(provider)) parseProviderOptions(provider, options);
    const workspace = await folders.ensureWorkspace(session.id, group.folder, runner);
    assertMountsAllowed(workspace, { sessionDir: folders.folderOf(session.id), groupsDir });
    return containerSpecFor({
      installId,
      session,
      workspace,
      config,
      provider,
      user,
      logPath: logPath(session.id),
      // After its folders were made: it is started with these.
      fingerprint: formatFingerprint(await fingerprints.of(session, group)),
    });
  }

  /** Kills a container that must not go on; a pass over its session settles what it has left. */
  async endAtOnce(sessionId: string, containerId: string, reason: string): Promise<void> {
    const { runtime, observed, log } = this.#deps;
    const own = observed.listForSession(sessionId);
    if (!own.some((one) => one.containerId === containerId)) return;
    this.#stopReasons.set(sessionId, reason);
    await runtime.stop(containerId, 0);
    observed.noteExit(containerId);
    log.info({ sessionId, containerId, reason }, 'container stopped');
  }

  #adopt(step: Extract<Step, { kind: 'adopt' }>): Promise<void> {
    const { runtime, observed, log, logPath, onRunning } = this.#deps;
    const { sessionId, containerId } = step;
    const container = observed
      .listForSession(sessionId)
      .find((one) => one.containerId === containerId);
    if (container !== undefined) runtime.followLog(container, logPath(sessionId));
    this.#attached.add(containerId);
    this.#events.noteAdopted(sessionId, containerId);
    log.info({ sessionId, containerId }, 'container adopted');
    onRunning(sessionId);
    this.#deps.postureWatch.begin({ sessionId, containerId, posture: undefined });
    return Promise.resolve();
  }

  async #stop(step: Extract<Step, { kind: 'stop' }>): Promise<void> {
    const { runtime, log, stopGraceMs } = this.#deps;
    const { sessionId, containerId, reason, failsTurn } = step;
    if (failsTurn) await this.#noteStoppedInTurn(sessionId);
    this.#stopReasons.set(sessionId, reason);
    await runtime.stop(containerId, stopGraceMs);
    this.#deps.observed.noteExit(containerId);
    log.info({ sessionId, containerId, reason }, 'container stopped');
  }

  /** Read before the stop: a runner that is told to leave gives back what it is at. */
  async #noteStoppedInTurn(sessionId: string): Promise<void> {
    const { store, openWork } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined) return;
    const { claimed, waiting } = await openWork.listUnderWay(session);
    this.#stoppedInTurn.set(
      sessionId,
      new Set(claimed === undefined || claimed.length === 0 ? waiting : claimed),
    );
  }

  async #settle(step: Extract<Step, { kind: 'settle' }>): Promise<void> {
    const { store, openWork, startFailures, startQueue, clock, log, onEnded } = this.#deps;
    const { sessionId, wasExpected, startedAtMs } = step;
    const session = store.sessions.find(sessionId);
    const triesBefore = session && (await openWork.countTries(session));
    const lastError = await this.#findLastError(sessionId);
    const why = this.#describeEnd(sessionId, lastError);
    const howEnded = step.reason ?? this.#describeForEvent(sessionId, lastError);
    const isExpected = wasExpected || this.#stopReasons.has(sessionId);
    await onEnded(sessionId, this.#stoppedInTurn.get(sessionId) ?? new Set(), why);
    this.#stoppedInTurn.delete(sessionId);
    this.#stopReasons.delete(sessionId);
    this.#events.noteEnded(sessionId, howEnded);
    startQueue.vacated(sessionId);
    if (session === undefined || isExpected) return;
    log.warn({ sessionId, lastError }, 'container ended by itself');
    const wasShort = startedAtMs === null || clock.now() - startedAtMs < shortRunMs;
    // If it has worked on something, how often that may be tried is the limit.
    if (wasShort && !hasWorked(triesBefore, await openWork.countTries(session))) {
      await startFailures.noteEnd(session, lastError);
    }
  }

  #describeEnd(sessionId: string, lastError: string | undefined): string {
    const reason = this.#stopReasons.get(sessionId);
    if (reason !== undefined) return `The agent was stopped in the middle of it: ${reason}.`;
    const how = describeExit(this.#findEnded(sessionId)?.exitCode ?? null);
    return lastError === undefined ? how : `${how} Its last error: ${lastError}.`;
  }

  #describeForEvent(sessionId: string, lastError: string | undefined): string {
    const reason = this.#stopReasons.get(sessionId);
    if (reason !== undefined) return reason;
    const exitCode = this.#findEnded(sessionId)?.exitCode ?? null;
    const how = exitCode === null ? '' : ` (exit code ${exitCode})`;
    return `it ended by itself${how}${lastError === undefined ? '' : `: ${lastError}`}`;
  }

  /** Of a container that has ended by itself: what it was stopped for is known better. */
  async #findLastError(sessionId: string): Promise<string | undefined> {
    const { runtime, logPath } = this.#deps;
    const ended = this.#findEnded(sessionId);
    if (ended === undefined || ended.exitCode === 0 || this.#stopReasons.has(sessionId))
      return undefined;
    await runtime.settleLog?.(ended.containerId);
    return await findLastError(logPath(sessionId), ended.startedAtMs);
  }

  #findEnded(sessionId: string): ObservedContainer | undefined {
    return this.#deps.observed
      .listForSession(sessionId)
      .filter(({ state }) => state === 'exited')
      .sort((a, b) => b.startedAtMs - a.startedAtMs)[0];
  }

  async #remove(containerId: string): Promise<void> {
    const { runtime, observed, log } = this.#deps;
    await runtime.remove(containerId);
    observed.forget(containerId);
    this.#attached.delete(containerId);
    log.debug({ containerId }, 'container removed');
  }
}

/** 128 and more: by a signal, as shells count. */
function describeExit(exitCode: number | null): string {
  if (exitCode === null) return 'The agent ended in the middle of it.';
  const how = exitCode === 137 ? ', killed: from outside, or for want of memory' : '';
  return `The agent ended in the middle of it (exit code ${exitCode}${how}).`;
}

/** Of the messages that waited before, one has been answered, given up or tried. Messages that came since say nothing. */
function hasWorked(
  before: ReadonlyMap<string, number> | undefined,
  after: ReadonlyMap<string, number> | undefined,
): boolean {
  if (before === undefined || after === undefined) return before !== after;
  return [...before].some(([id, tries]) => after.get(id) !== tries);
}
