import { TaskHandler } from '../../host/schedule/task-handler.js';
import { join } from 'node:path';
import { buildContainers } from '../../host/containers/build-containers.js';
import type { Reconciler } from '../../host/containers/reconciler.js';
import type { PrewarmedPool } from '../../host/containers/admission/prewarmed-pool.js';
import { buildDelivery } from '../../host/delivery/build-delivery.js';
import { SessionRegistry } from '../../host/sessions/session-registry.js';
import type { Session } from '../../host/store/sessions.js';
import type { BerthError } from '../../shared/base/errors.js';
import { FakeRuntime } from './fake-runtime.js';
import { nudgesWith } from './nudges.js';
import { SettlingSetup } from './settling-setup.js';

export interface ContainerSetupOptions {
  readonly isolates?: boolean;
  readonly defaultProvider?: string;
  /** The longest time between two listings. */
  readonly resyncIntervalMs?: number;
  readonly maxContainers?: number;
  readonly memoryBudgetMb?: number;
}

/** A reconciler over an engine in memory; what ended containers left is dealt with as in the daemon. */
export class ContainerSetup extends SettlingSetup implements AsyncDisposable {
  readonly runtime: FakeRuntime;
  readonly problems: (BerthError | undefined)[] = [];
  readonly startTroubles: (BerthError | undefined)[] = [];
  /** Each change of why containers cannot be verified. */
  readonly verified: (string | null)[] = [];
  readonly running: string[] = [];
  /** Before what a container left is dealt with. */
  whenEnded: (sessionId: string) => void = () => undefined;
  readonly ended: string[] = [];
  reconciler: Reconciler;
  prewarmedPool!: PrewarmedPool;
  registry!: SessionRegistry;
  readonly #options: ContainerSetupOptions;

  constructor(options: ContainerSetupOptions = {}) {
    super();
    this.#options = options;
    this.runtime = new FakeRuntime({ clock: this.clock, isolates: options.isolates ?? true });
    this.reconciler = this.rebuild();
  }

  /** Another daemon over the same files and the same engine. */
  rebuild(): Reconciler {
    const { defaultProvider = 'echo', resyncIntervalMs = 600_000 } = this.#options;
    const { maxContainers = 100, memoryBudgetMb = 1_000_000 } = this.#options;
    const settlement = this.restart();
    const common = {
      store: this.store,
      mailbox: this.mailbox,
      settlement,
      clock: this.clock,
      chance: () => 0.5,
      log: this.log,
      nudges: nudgesWith({
        container: (sessionId) => {
          this.reconciler.nudge(sessionId);
        },
      }),
    };
    const sessions = new SessionRegistry({
      store: this.store,
      clock: this.clock,
      newId: this.newId,
      log: this.log,
      onTaken: () => {
        this.prewarmedPool.noteTaken();
      },
    });
    this.registry = sessions;
    const recovery = this.addRecovery(sessions, (sessionId) => {
      this.reconciler.nudge(sessionId);
    });
    const { loop } = buildDelivery({
      ...common,
      tasks: new TaskHandler({ ...common, sessions, timeZone: 'UTC' }),
      timeZone: 'UTC',
      folders: this.folders,
      sessions,
      repeatPassMs: 5_000,
      settlementWaitMs: 0,
      settlingMs: 0,
      unknownSendsOf: () => 'repeat',
      retry: { tries: 3, baseMs: 1_000 },
      sendTimeoutMs: 1_000,
      writeWaitMs: 1_000,
      pollIntervalMs: 600_000,
      outDir: (sessionId) => this.folders.outDir(sessionId),
      viewDir: (sessionId) => this.folders.viewDir(sessionId),
      sentDir: (sessionId) => join(this.folders.folderOf(sessionId), 'sent'),
      findChannel: () => undefined,
      recovery,
      onSaid: () => undefined,
    });
    ({ reconciler: this.reconciler, prewarmedPool: this.prewarmedPool } = buildContainers({
      sessions,
      ...common,
      runtime: this.runtime,
      folders: this.folders,
      installId: 'install',
      groupsDir: this.groupsDir,
      logPath: (sessionId) => join(this.root, `${sessionId}.log`),
      user: '1000:1000',
      defaultProvider,
      unisolatedProviders: [],
      pollIntervalMs: 1_000,
      resyncIntervalMs,
      refillAfterMs: 10,
      stopGraceMs: 1_000,
      onRunning: (sessionId) => {
        this.running.push(sessionId);
      },
      onEnded: async (sessionId, stoppedInTurn, why) => {
        this.whenEnded(sessionId);
        await loop.finish(sessionId, stoppedInTurn, why);
        this.ended.push(sessionId);
      },
      onTrouble: (sessionId, error) => {
        recovery.report(sessionId, error);
      },
      onEngineState: (problem) => {
        this.problems.push(problem);
      },
      onStartTrouble: (problem) => {
        this.startTroubles.push(problem);
      },
      onVerified: (why) => {
        this.verified.push(why);
      },
      monotonicNow: () => this.clock.now(),
      maxContainers,
      memoryBudgetMb,
    }));
    return this.reconciler;
  }

  /** A new session with a message that waits. */
  async addWaitingSession(): Promise<Session> {
    const session = this.addSession();
    await this.post(session, `m-of-${session.id}`);
    return session;
  }

  /** How many starts have failed, and were put off. */
  get putOffs(): number {
    return this.logged('container not started').length;
  }

  /** The fields of what was logged with this message. */
  logged(message: string): readonly Record<string, unknown>[] {
    return this.logLines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === message);
  }

  containerStatus(session: Session): string | undefined {
    return this.store.sessions.find(session.id)?.containerStatus;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.prewarmedPool.stop();
    await this.reconciler.stop();
    this[Symbol.dispose]();
  }
}
