/** Joins the parts of the daemon by callbacks, and fixes the order in which they open and close. */
import { join } from 'node:path';
import { BerthError } from '../../shared/base/errors.js';
import { Deadline } from '../../shared/base/lifecycle.js';
import type { ChannelSet } from '../channels/set/channel-set.js';
import type { Reconciler } from '../containers/reconciler.js';
import type { ContainerRuntime } from '../containers/spec/container-runtime.js';
import type { PrewarmedPool } from '../containers/admission/prewarmed-pool.js';
import type { Delivery } from '../delivery/build-delivery.js';
import { Router } from '../routing/router.js';
import { buildSchedule, type Schedule } from '../schedule/build-schedule.js';
import type { Adoption } from '../sessions/adoption/adoption.js';
import { CentralWatch } from './central-watch.js';
import { defaultAgentFolder } from '../sessions/default-agent-group.js';
import { InboxFiles } from '../sessions/inbox-files.js';
import { findDaemonOperation } from '../operations/builtin-operations.js';
import { parseInput, type DaemonScope } from '../operations/operation.js';
import { RequestQueue, type RequestHandler } from './request-queue.js';
import type { SettledMessage } from '../sessions/settlement/settlement.js';
import { Upkeep } from '../sessions/retention/upkeep.js';
import type { DaemonStatus } from '../store/daemon-status.js';
import { handleDue } from './due-handlers.js';
import { handleChannelEvent } from './channel-events.js';
import { joinChannels } from './join-channels.js';
import { listenAgain, reachAgain } from './listen-again.js';
import { joinAdoption } from './join-adoption.js';
import { joinContainers } from './join-containers.js';
import { joinDelivery } from './join-delivery.js';
import { joinLocks } from './join-locks.js';
import { nudgesFor } from './nudges.js';
import { sessionLogPath } from './session-logs.js';
import { buildCore, type DaemonDeps, type Core } from './core.js';

/** `stop`: containers end with the daemon. `keep`: they go on, and the next daemon adopts them. */
export type ContainersAtStop = 'stop' | 'keep';

const centralPollMs = 500;
const upkeepIntervalMs = 60_000;
const upkeepPauseMs = 500;
/** How long a person who asks again waits for a reply that is being sent, in milliseconds. */
const lastWordsMs = 2_000;
const firstListingMs = 1_000;

/** Joins the parts of the daemon by callbacks. */
export class ComposedDaemon {
  readonly #nudges = nudgesFor(() => ({
    reconciler: this.#reconciler,
    delivery: this.#delivery,
    schedule: this.#schedule,
  }));
  readonly #core: Core;
  readonly #channels: ChannelSet;
  readonly #router: Router;
  readonly #reconciler: Reconciler;
  readonly #prewarmedPool: PrewarmedPool;
  readonly #delivery: Delivery;
  readonly #schedule: Schedule;
  readonly #centralWatch: CentralWatch;
  readonly #requestQueue: RequestQueue;
  readonly #upkeep: Upkeep;
  readonly #adoption: Adoption;

  constructor(deps: DaemonDeps, runtime: ContainerRuntime, status: DaemonStatus) {
    this.#core = buildCore(
      deps,
      { runtime, status },
      {
        onTaken: () => {
          this.#prewarmedPool.noteTaken();
        },
        onSettled: this.#onSettled,
        nudges: this.#nudges,
        onBlocked: joinLocks(deps.log, runtime, () => this.#reconciler),
      },
    );
    const { config, store, log } = deps;
    this.#channels = joinChannels(this.#core);
    this.#schedule = buildSchedule({
      ...deps,
      ...this.#core,
      timeZone: config.timeZone,
      roundMs: config.safetyScanMs,
      monotonicNow: () => performance.now(),
      nudges: this.#nudges,
      onDue: (item) => {
        handleDue(item, this.#nudges);
      },
    });
    const parts = { channels: this.#channels, schedule: this.#schedule, nudges: this.#nudges };
    this.#delivery = joinDelivery(this.#core, parts);
    const { reconciler, prewarmedPool } = joinContainers(this.#core, {
      delivery: this.#delivery,
      nudges: this.#nudges,
    });
    this.#reconciler = reconciler;
    this.#prewarmedPool = prewarmedPool;
    this.#router = this.#joinRouting();
    this.#requestQueue = new RequestQueue({
      store,
      log,
      findHandler: (kind) => this.#findOperation(kind),
    });
    this.#upkeep = new Upkeep({
      ...deps,
      ...this.#core,
      trashDir: join(config.paths.sessionsDir, '.trash'),
      logPath: (sessionId) => sessionLogPath(config, sessionId),
      pollIntervalMs: upkeepIntervalMs,
      pauseMs: upkeepPauseMs,
    });
    this.#adoption = joinAdoption(this.#core, this.#channels, this.#schedule, this.#nudges);
    this.#centralWatch = this.#joinCentralWatch();
  }

  /** `lastTime`: when the last daemon of this home wrote something, ISO-8601. */
  async open(lastTime?: string): Promise<void> {
    if (lastTime !== undefined) this.#core.clockJumps.noteLastTime(lastTime);
    this.#core.shortage.start();
    this.#core.inboundThread.start();
    this.#core.readers.start();
    // A container whose session has no row would be stopped.
    await this.#adoption.begin();
    this.#core.checkpoints.start();
    this.#centralWatch.start();
    this.#delivery.watcher.start();
    this.#reconciler.start();
    this.#core.recovery.start();
    this.#prewarmedPool.start();
    this.#delivery.notices.start();
    this.#schedule.dueIndex.start();
    this.#nudges.schedule();
    await this.#channels.start({
      onInbound: (event) => handleChannelEvent(event, (message) => this.#router.route(message)),
      onListening: (chat) => {
        listenAgain(this.#core.deps, this.#nudges, chat);
      },
      onReachable: (channel) => {
        reachAgain(this.#core.deps, this.#nudges, channel);
      },
    });
    // A person who waits for the start is told of an engine that is away.
    await new Deadline(firstListingMs).wait(this.#reconciler.firstListing);
    void this.#adoption.catchUp();
    this.#upkeep.start();
    this.#schedule.safetyScan.start();
  }

  /**
   * Closes in the reverse order, all under one deadline: what takes longer is left behind, and said. The steps before
   * the containers may use half of it, so that the containers are stopped however slow the rest is.
   */
  async close(containers: ContainersAtStop): Promise<void> {
    const { config, log } = this.#core.deps;
    const deadline = new Deadline(config.stopTimeoutMs);
    let current = deadline.part(0.5);
    const step = async (name: string, work: Promise<unknown>): Promise<void> => {
      const ended = await current.wait(work);
      if (ended === 'late') log.warn({ step: name }, 'stop does not wait any longer');
    };
    this.#channels.refuse();
    this.#delivery.loop.beginStop();
    await step('router', this.#router.drain());
    await step('adoption', this.#adoption.stop());
    await step('upkeep', this.#upkeep.stop());
    await step('safety scan', this.#schedule.safetyScan.stop());
    this.#schedule.dueIndex.stop();
    await step('commands', this.#centralWatch.stop());
    await step('questions', this.#schedule.questions.idle());
    await step('requests', this.#requestQueue.drain());
    await step('prewarmed sessions', this.#prewarmedPool.stop());
    await step('reconciler', this.#reconciler.stop());
    current = deadline;
    if (containers === 'stop') {
      await step('containers', this.#reconciler.stopContainers());
      this.#core.status.say({ leftRunning: this.#reconciler.listRunning() });
    }
    await step('delivery', this.#delivery.loop.stop());
    await step('notices', this.#delivery.notices.stop());
    await step('watcher', this.#delivery.watcher.stop());
    await this.#channels.stop(deadline);
    await step('runtime', this.#core.runtime.close());
    this.#core.readers.stop();
    await step('checkpoints', this.#core.checkpoints.stop());
    await step('shortage', this.#core.shortage.stop());
    await step('inbound files', this.#core.inboundThread.stop());
  }

  #joinCentralWatch(): CentralWatch {
    const { config, store, log, onFatal } = this.#core.deps;
    return new CentralWatch({
      ...this.#core,
      store,
      log,
      pollIntervalMs: centralPollMs,
      path: config.paths.centralDb,
      onReplaced: () => {
        const message = `${config.paths.centralDb} was taken away or replaced while the daemon ran.`;
        const next = 'Put the right file in its place, then start the daemon again.';
        onFatal(new BerthError('database_missing', message, { next }));
      },
      onChange: () => {
        this.#requestQueue.nudge();
        this.#schedule.dueIndex.readAgain();
        this.#nudges.notices();
        this.#reconciler.nudgeAll();
        this.#prewarmedPool.nudge();
        this.#channels.nudge();
      },
    });
  }

  #joinRouting(): Router {
    return new Router({
      ...this.#core.deps,
      ...this.#core,
      inboxFiles: new InboxFiles(this.#core.folders),
      defaultAgentFolder,
      wiresItself: (type) => this.#channels.find(type)?.wiresItself ?? false,
      onDamaged: (sessionId, error) => this.#core.recovery.abandon(sessionId, error),
      nudges: this.#nudges,
      deliver: async (sessionId) => {
        await new Deadline(lastWordsMs).wait(this.#delivery.loop.pass(sessionId));
      },
    });
  }

  #findOperation(kind: string): RequestHandler | undefined {
    const operation = findDaemonOperation(kind);
    if (operation === undefined) return undefined;
    const scope: DaemonScope = {
      ...this.#core.deps,
      tasks: this.#schedule.taskHandler,
      deadLetters: this.#delivery.deadLetters,
      containers: this.#reconciler,
    };
    return (payload) => operation.run(scope, parseInput(operation, payload));
  }

  readonly #onSettled = (message: SettledMessage): void => {
    this.#channels.find(message.address.channelType)?.settled(message);
  };
}
