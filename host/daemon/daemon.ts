/** The composition root: prepares the home, composes the daemon, and opens it for messages. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildRuntime } from '../containers/runtime/build-runtime.js';
import { findAgentImage, type RuntimeSettings } from '../containers/runtime/builtin-runtimes.js';
import type { RuntimeWish } from '../containers/runtime/choose-runtime.js';
import { describeBuildStep } from '../containers/runtime/docker/build-progress.js';
import { runnerFileOf, type ContainerRuntime } from '../containers/spec/container-runtime.js';
import { providerNames } from '../../shared/protocol/provider-table.js';
import { letAllPass } from '../../shared/base/private-file.js';
import type { DaemonDeps } from './core.js';
import { ComposedDaemon, type ContainersAtStop } from './compose.js';
import { sessionLogsDir } from './session-logs.js';
import { LoopWatch } from './event-loop-monitor.js';
import { ensureDefaultAgentGroup } from '../sessions/default-agent-group.js';
import { probeOwners, type Ownership } from '../sessions/files/owner-probe.js';
import { agentUserFor } from '../sessions/session-folder.js';
import { compareShippedGroups } from '../sessions/files/shipped-groups.js';
import { isolatesAgents, type DaemonState } from '../store/daemon-state.js';
import { DaemonStatus } from '../store/daemon-status.js';

export type { ContainersAtStop } from './compose.js';
export type { DaemonDeps } from './core.js';

export interface Daemon {
  readonly runtime: ContainerRuntime;
  /** Why the runtime is not the better one; null where there is nothing to say. */
  readonly remark: string | null;
  stop(containers: ContainersAtStop): Promise<void>;
}

const loopCheckIntervalMs = 1_000;

/** Composes the daemon before it opens it for messages. Throws what makes a start impossible. */
export async function startDaemon(deps: DaemonDeps): Promise<Daemon> {
  const last = deps.store.daemonState.find();
  const lastTime = deps.store.daemonState.findLastTime();
  const { timeZone: name, timeZoneOrigin } = deps.config;
  const status = new DaemonStatus({ ...deps, timeZone: { name, remark: timeZoneOrigin.remark } });
  status.say({ phase: 'starting' });
  const groups = { ...deps.config.paths, ...deps.config.program };
  ensureDefaultAgentGroup({ ...deps, groups });
  const remarks = [...(deps.about?.remarks ?? []), ...compareShippedGroups(groups)];
  status.say({ remarks });
  // The reader, who is another user where the daemon is root, passes through by name.
  mkdirSync(deps.config.paths.sessionsDir, { recursive: true, mode: 0o711 });
  letAllPass(deps.config.paths.sessionsDir);
  mkdirSync(sessionLogsDir(deps.config), { recursive: true, mode: 0o700 });
  const built = await buildRuntime(runtimeSettings(deps), runtimeWish(deps, last), (line) => {
    const activity = describeBuildStep(line);
    if (activity === undefined) return;
    status.say({ activity });
    deps.onProgress(activity);
  });
  const { runtime, remark, engine, leftIn } = built;
  const owners = await findOwners(deps, runtime);
  if (owners.remark !== null) remarks.push(owners.remark);
  if (leftIn !== undefined) remarks.push(describeLeft(leftIn, deps));
  const { isolates } = runtime;
  status.say({ runtime: runtime.name, isolates, activity: remark, engine, remarks });
  const composed = new ComposedDaemon({ ...deps, handover: owners.handover }, runtime, status);
  await composed.open(lastTime);
  status.say({ phase: 'ready' });
  const loopWatch = new LoopWatch({
    checkIntervalMs: loopCheckIntervalMs,
    onChange: (loopDelay) => {
      status.say({ loopDelay });
    },
  });
  loopWatch.start();
  return {
    runtime,
    remark: [remark, owners.remark].filter((one) => one !== null).join(' ') || null,
    stop: async (containers) => {
      loopWatch.stop();
      status.say({ phase: 'stopping' });
      await composed.close(containers);
    },
  };
}

/** Builds the agent image unless the engine has it; returns its tag. Throws image_failed, or what the engine throws. */
export async function ensureAgentImage(
  deps: Pick<DaemonDeps, 'config' | 'log' | 'onProgress'>,
): Promise<string> {
  const { config, log, onProgress } = deps;
  const { agentImageDir } = config.program;
  const { image, engine } = await findAgentImage({ ...config, agentImageDir, log });
  try {
    return await image.ensure(onProgress);
  } finally {
    engine.close();
  }
}

/** How agents come to files of their own; what is odd about it is logged. */
async function findOwners(
  { config, log }: DaemonDeps,
  { isolates }: ContainerRuntime,
): Promise<Ownership> {
  const uid = process.getuid?.();
  const agentUser = agentUserFor(uid, process.getgid?.());
  const owners = await probeOwners({ ...config.paths, agentUser, uid, isolates });
  if (owners.remark !== null) log.warn({ remark: owners.remark }, 'files have other owners');
  return owners;
}

function describeLeft(engine: string, { installId }: DaemonDeps): string {
  return `The engine at ${engine}, which this home has used before, does not answer. Containers that still run there would answer beside those of this one: stop them there (docker ps --filter label=berth.install=${installId}), then \`berth restart\`.`;
}

function runtimeWish({ config }: DaemonDeps, last: DaemonState | undefined): RuntimeWish {
  return {
    choice: config.runtime,
    ranIsolated: last !== undefined && isolatesAgents(last) === true,
    lastEngine: last?.engine ?? null,
  };
}

function runtimeSettings({ config, installId, clock, log }: DaemonDeps): RuntimeSettings {
  const { agentImageDir } = config.program;
  return {
    ...config,
    agentImageDir,
    runners: Object.fromEntries(
      providerNames.map((name) => [name, join(agentImageDir, runnerFileOf(name))]),
    ),
    processesDir: config.paths.processesDir,
    installId,
    clock,
    log,
  };
}
