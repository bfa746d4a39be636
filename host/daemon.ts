/** The composition root: builds every room, joins them by callbacks, and knows the order of start and stop. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isoAt, type Clock } from '../shared/base/clock.js';
import type { NewId } from '../shared/base/ids.js';
import { Deadline } from '../shared/base/lifecycle.js';
import type { Logger } from '../shared/base/logger.js';
import { readMigrations } from '../shared/base/migrate.js';
import { builtinChannels } from './channels/builtin-channels.js';
import { ChannelSet } from './channels/channel-set.js';
import type { Config } from './config.js';
import { buildContainers } from './containers/build-containers.js';
import type { Reconciler } from './containers/reconciler.js';
import {
  buildAgentImage,
  buildRuntime,
  type RuntimeSettings,
} from './containers/runtime/build-runtime.js';
import type { ContainerRuntime } from './containers/runtime/container-runtime.js';
import { buildDelivery, type Delivery } from './delivery/build-delivery.js';
import { Router } from './routing/router.js';
import { DueIndex } from './schedule/due-index.js';
import { CentralWatch } from './sessions/central-watch.js';
import { defaultAgentFolder, ensureDefaultAgentGroup } from './sessions/default-agent-group.js';
import { InboxFiles } from './sessions/inbox-files.js';
import { RequestDesk } from './sessions/request-desk.js';
import { Mailbox } from './sessions/mailbox.js';
import { agentUserFor, SessionFolders } from './sessions/session-folder.js';
import { SessionRegistry } from './sessions/session-registry.js';
import { failureNoticePrefix, Settlement, type SettledMessage } from './sessions/settlement.js';
import { DaemonStatus } from './store/daemon-status.js';
import type { Store } from './store/store.js';

export interface DaemonDeps {
  readonly config: Config;
  readonly store: Store;
  readonly installId: string;
  readonly version: string;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly chance: () => number;
  readonly log: Logger;
  /** Says what a start that takes long is doing. */
  readonly onProgress: (line: string) => void;
}

/** `stop`: containers end with the daemon. `keep`: they go on, and the next daemon adopts them. */
export type ContainersAtStop = 'stop' | 'keep';

export interface Daemon {
  readonly runtime: ContainerRuntime;
  /** Why the runtime is not the better one; null where there is nothing to say. */
  readonly remark: string | null;
  stop(containers: ContainersAtStop): Promise<void>;
}

const lockTimeoutMs = 5_000;
const sendTimeoutMs = 30_000;
const centralPollMs = 200;
const resyncIntervalMs = 10_000;
const stopGraceMs = 5_000;
const maxFileBytes = 50 * 1024 * 1024;
const deliveryRetry = { tries: 5, baseMs: 5_000 };

/** Builds the house before it opens the door. Throws what makes a start impossible. */
export async function startDaemon(deps: DaemonDeps): Promise<Daemon> {
  const status = new DaemonStatus(deps);
  status.say({ phase: 'starting' });
  const { groupsDir } = deps.config.paths;
  const { shippedGroupsDir } = deps.config.program;
  ensureDefaultAgentGroup({ ...deps, groupsDir, shippedGroupsDir });
  mkdirSync(sessionLogsDir(deps.config), { recursive: true, mode: 0o700 });
  const { runtime, remark } = await buildRuntime(runtimeSettings(deps), (line) => {
    status.say({ activity: line });
    deps.onProgress(line);
  });
  status.say({ runtime: runtime.name, activity: remark });
  const house = new House(deps, runtime, status);
  await house.open();
  status.say({ phase: 'ready', channels: house.describeChannels() });
  return {
    runtime,
    remark,
    stop: async (containers) => {
      status.say({ phase: 'stopping' });
      await house.close(containers);
    },
  };
}

/** Builds the agent image unless the engine has it; returns its tag. Throws image_failed, or what the engine throws. */
export async function ensureAgentImage(
  deps: Pick<DaemonDeps, 'config' | 'log' | 'onProgress'>,
): Promise<string> {
  const { config, log, onProgress } = deps;
  const { agentImageDir } = config.program;
  const { image, engine } = buildAgentImage({ ...config, agentImageDir, log });
  try {
    return await image.ensure(onProgress);
  } finally {
    engine.close();
  }
}

function runtimeSettings({ config, installId, clock, log }: DaemonDeps): RuntimeSettings {
  const { agentImageDir } = config.program;
  return {
    ...config,
    agentImageDir,
    runnerPath: join(agentImageDir, 'runner.cjs'),
    processesDir: config.paths.processesDir,
    installId,
    clock,
    log,
  };
}

function sessionLogsDir(config: Config): string {
  return join(config.paths.logsDir, 'sessions');
}

/** What every room may need. */
interface Ground {
  readonly deps: DaemonDeps;
  readonly runtime: ContainerRuntime;
  readonly status: DaemonStatus;
  readonly folders: SessionFolders;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly settlement: Settlement;
}

/** The rooms, joined by callbacks. */
class House {
  readonly #ground: Ground;
  readonly #channels: ChannelSet;
  readonly #router: Router;
  readonly #reconciler: Reconciler;
  readonly #delivery: Delivery;
  readonly #dueIndex: DueIndex;
  readonly #centralWatch: CentralWatch;
  readonly #requestDesk: RequestDesk;

  constructor(deps: DaemonDeps, runtime: ContainerRuntime, status: DaemonStatus) {
    this.#ground = this.#layGround(deps, runtime, status);
    const { config, store, log, newId } = deps;
    const parts = { terminalSocketPath: config.paths.socket, newId, log };
    const channels = builtinChannels.map((make) => make(parts));
    this.#channels = new ChannelSet({ channels, log });
    this.#dueIndex = new DueIndex({
      ...deps,
      onDue: ({ sessionId, kind }) => {
        if (kind === 'deliver') this.#delivery.loop.nudge(sessionId);
        else this.#reconciler.nudge(sessionId);
      },
    });
    this.#delivery = this.#joinDelivery();
    this.#reconciler = this.#joinContainers();
    this.#router = this.#joinRouting();
    this.#requestDesk = new RequestDesk({ store, log, handlers: {} });
    this.#centralWatch = new CentralWatch({
      ...this.#ground,
      store,
      log,
      pollIntervalMs: centralPollMs,
      onChange: () => {
        this.#requestDesk.nudge();
        this.#dueIndex.look();
        this.#delivery.notices.nudge();
        this.#reconciler.nudgeAll();
      },
    });
  }

  describeChannels(): Readonly<Record<string, string>> {
    const states = this.#channels.status();
    return Object.fromEntries(
      states.map(({ type, state, reason }) => [type, reason ?? state] as const),
    );
  }

  async open(): Promise<void> {
    this.#centralWatch.start();
    this.#delivery.watcher.start();
    this.#reconciler.start();
    this.#delivery.notices.start();
    this.#dueIndex.start();
    await this.#channels.start({
      onInbound: (event) => this.#router.route(event),
      onListening: (chat) => {
        this.#hearAgain(chat);
      },
    });
  }

  /** Closes in the reverse order, all under one deadline: what takes longer is left behind, and said. */
  async close(containers: ContainersAtStop): Promise<void> {
    const { config, log } = this.#ground.deps;
    const deadline = new Deadline(config.stopTimeoutMs);
    const step = async (name: string, work: Promise<unknown>): Promise<void> => {
      const ended = await deadline.wait(work);
      if (ended === 'late') log.warn({ step: name }, 'stop does not wait any longer');
    };
    this.#channels.refuse();
    await step('router', this.#router.drain());
    this.#dueIndex.stop();
    await step('commands', this.#centralWatch.stop());
    await step('requests', this.#requestDesk.drain());
    await step('reconciler', this.#reconciler.stop());
    if (containers === 'stop') await step('containers', this.#reconciler.stopContainers());
    await step('delivery', this.#delivery.loop.drain());
    await step('notices', this.#delivery.notices.stop());
    await step('watcher', this.#delivery.watcher.stop());
    await this.#channels.stop(deadline);
    await step('runtime', this.#ground.runtime.close());
  }

  #layGround(deps: DaemonDeps, runtime: ContainerRuntime, status: DaemonStatus): Ground {
    const { config } = deps;
    const folders = new SessionFolders({
      ...config.paths,
      agentUser: agentUserFor(process.getuid?.(), process.getgid?.()),
      mustGiveAway: process.getuid?.() === 0,
    });
    const inboundMigrations = readMigrations(join(config.program.migrationsDir, 'inbound'));
    const mailbox = new Mailbox({ folders, inboundMigrations, lockTimeoutMs });
    const sessions = new SessionRegistry(deps);
    const settlement = new Settlement({
      ...deps,
      mailbox,
      onSettled: this.#onSettled,
      onNotice: this.#onNotice,
    });
    return { deps, runtime, status, folders, mailbox, sessions, settlement };
  }

  #joinDelivery(): Delivery {
    const { deps, folders } = this.#ground;
    return buildDelivery({
      ...deps,
      ...this.#ground,
      retry: deliveryRetry,
      sendTimeoutMs,
      maxFileBytes,
      pollIntervalMs: deps.config.pollIntervalMs,
      outDir: (sessionId) => folders.outDir(sessionId),
      sentDir: (sessionId) => join(folders.folderOf(sessionId), 'sent'),
      findChannel: (type) => this.#channels.find(type),
      onDamaged: this.#setAside,
      onPlanned: () => {
        this.#dueIndex.refresh();
      },
      onSaid: ({ id, inReplyTo, address }) => {
        const isAnswer = inReplyTo !== null && id.startsWith(failureNoticePrefix);
        if (!isAnswer) return;
        const failed = { address, messageId: inReplyTo, status: 'failed' } as const;
        void this.#ground.settlement.report(failed);
      },
    });
  }

  #joinContainers(): Reconciler {
    const { deps, status } = this.#ground;
    const { config, installId } = deps;
    const { uid, gid } = agentUserFor(process.getuid?.(), process.getgid?.());
    return buildContainers({
      ...deps,
      ...this.#ground,
      installId,
      groupsDir: config.paths.groupsDir,
      logPath: (sessionId) => join(sessionLogsDir(config), `${sessionId}.log`),
      user: `${uid}:${gid}`,
      defaultProvider: config.provider,
      unisolatedProviders: config.unisolatedProviders,
      pollIntervalMs: config.pollIntervalMs,
      resyncIntervalMs,
      stopGraceMs,
      onNotice: this.#onNotice,
      onPutOff: () => {
        this.#dueIndex.refresh();
      },
      onRunning: (sessionId) => {
        this.#delivery.watcher.add(sessionId);
        this.#delivery.loop.nudge(sessionId);
      },
      onEnded: async (sessionId) => {
        this.#delivery.watcher.remove(sessionId);
        await this.#delivery.loop.finish(sessionId);
      },
      onEngineState: (problem) => {
        status.say({ problem: problem?.message ?? null });
      },
    });
  }

  #joinRouting(): Router {
    return new Router({
      ...this.#ground.deps,
      ...this.#ground,
      inboxFiles: new InboxFiles(this.#ground.folders),
      defaultAgentFolder,
      wiresItself: (type) => this.#channels.find(type)?.wiresItself ?? false,
      onDamaged: this.#setAside,
      onPosted: (sessionId) => {
        this.#reconciler.nudge(sessionId);
      },
    });
  }

  readonly #onNotice = (): void => {
    this.#delivery.notices.nudge();
  };

  readonly #onSettled = (message: SettledMessage): void => {
    this.#channels.find(message.address.channelType)?.settled?.(message);
  };

  readonly #setAside = (sessionId: string, reason: string): void => {
    this.#ground.sessions.setAside(sessionId, reason);
    this.#reconciler.nudge(sessionId);
    this.#onNotice();
  };

  #hearAgain(chat: { channelType: string; platformId: string }): void {
    const { store, clock } = this.#ground.deps;
    store.notices.hasten(chat.channelType, chat.platformId, isoAt(clock.now()));
    this.#onNotice();
    const waiting = store.awaitedListeners.take(chat.channelType, chat.platformId);
    for (const sessionId of waiting) this.#delivery.loop.nudge(sessionId);
  }
}
