import type { Clock } from '../../../shared/base/clock.js';
import { Deadline } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import { AgentImage } from './agent-image.js';
import { chooseRuntime, type RuntimeDecision, type RuntimeWish } from './choose-runtime.js';
import type { ContainerRuntime } from './container-runtime.js';
import { DockerEngine } from './docker-engine.js';
import { DockerRuntime } from './docker-runtime.js';
import { formatEngineAddress, parseEngineAddress } from './engine-address.js';
import { ProcessRuntime } from './process-runtime.js';

export interface ImageSettings {
  readonly dockerHost: string | undefined;
  readonly baseImage: string | undefined;
  readonly engineTimeoutMs: number;
  /** dist/agent-image. */
  readonly agentImageDir: string;
  readonly log: Logger;
}

export interface RuntimeSettings extends ImageSettings {
  readonly runtime: RuntimeWish['choice'];
  readonly ranContainers: boolean;
  /** The address at which the last daemon of this home had its engine, as describeEngine tells it; null: it had none. */
  readonly lastEngine: string | null;
  readonly pollIntervalMs: number;
  readonly runners: Readonly<Record<string, string>>;
  readonly processesDir: string;
  readonly executablePath: string;
  readonly installId: string;
  readonly clock: Clock;
}

const logLimits = { maxBytes: 5 * 1024 * 1024, keep: 3 };

/** The agent image of these settings, and the engine it lives in. */
export function buildAgentImage(settings: ImageSettings): {
  image: AgentImage;
  engine: DockerEngine;
} {
  const engine = new DockerEngine({
    dockerHost: settings.dockerHost,
    timeoutMs: settings.engineTimeoutMs,
    startTimeoutMs: settings.engineTimeoutMs * 2,
  });
  const image = new AgentImage({
    engine,
    contextDir: settings.agentImageDir,
    baseImage: settings.baseImage,
    buildTimeoutMs: 30 * 60_000,
    idleTimeoutMs: 10 * 60_000,
    log: settings.log,
  });
  return { image, engine };
}

/** How long to search for containers of the other runtime, in milliseconds. */
const leftoversTimeoutMs = 2_000;

/**
 * Builds and chooses. Containers that run under the other runtime are ended: a session has one runner, whoever started
 * it.
 */
export async function buildRuntime(
  settings: RuntimeSettings,
  onProgress: (line: string) => void,
): Promise<BuiltRuntime> {
  const { installId, clock, log } = settings;
  const { image, engine } = buildAgentImage(settings);
  const docker = new DockerRuntime({ engine, image, installId, logLimits, clock, log });
  const process = new ProcessRuntime({
    runners: settings.runners,
    stateDir: settings.processesDir,
    installId,
    path: settings.executablePath,
    logLimits,
    pollIntervalMs: settings.pollIntervalMs,
    clock,
    log,
  });
  const { runtime: choice, ranContainers } = settings;
  const wish = { choice, ranContainers };
  const decision = await chooseRuntime(wish, { docker, process }, onProgress, log);
  const other = decision.runtime === docker ? process : docker;
  // An engine that hangs must not hold up agents that do without it.
  const ended = await new Deadline(leftoversTimeoutMs).wait(endLeftovers(other, log));
  if (ended === 'late') log.warn({ runtime: other.name }, 'the other runtime is not examined');
  await other.close();
  return { ...decision, leftIn: await endInLastEngine(settings, decision.runtime) };
}

export interface BuiltRuntime extends RuntimeDecision {
  /** Another engine, in which containers of this home may go on; undefined where there is none. */
  readonly leftIn: string | undefined;
}

/** The address of the engine of these settings; as it is written where that is no address. */
export function describeEngine(dockerHost: string | undefined): string {
  try {
    return formatEngineAddress(parseEngineAddress(dockerHost));
  } catch {
    return dockerHost ?? '';
  }
}

/** DOCKER_HOST names another engine than at the last start: a session has one runner, wherever it was started. */
async function endInLastEngine(
  settings: RuntimeSettings,
  runtime: ContainerRuntime,
): Promise<string | undefined> {
  const { lastEngine, dockerHost, installId, clock, log } = settings;
  if (lastEngine === null || lastEngine === describeEngine(dockerHost)) return undefined;
  const { image, engine } = buildAgentImage({ ...settings, dockerHost: lastEngine });
  const last = new DockerRuntime({ engine, image, installId, logLimits, clock, log });
  const ending = endUnknown(last, runtime);
  try {
    if ((await new Deadline(leftoversTimeoutMs).wait(ending)) === 'done') return undefined;
  } catch (err) {
    log.debug({ err }, 'the last engine does not answer');
  } finally {
    await last.close();
  }
  ending.catch(() => undefined);
  log.warn({ engine: lastEngine }, 'the engine of the last start is not examined');
  return lastEngine;
}

/** Two addresses may be one engine: what the runtime in use lists too is its own. */
async function endUnknown(last: ContainerRuntime, inUse: ContainerRuntime): Promise<void> {
  const found = await last.list();
  if (found.length === 0) return;
  const known = new Set((await inUse.list()).map(({ containerId }) => containerId));
  for (const { containerId } of found) if (!known.has(containerId)) await last.remove(containerId);
}

async function endLeftovers(runtime: ContainerRuntime, log: Logger): Promise<void> {
  try {
    for (const container of await runtime.list()) {
      const { containerId, owner } = container;
      await runtime.remove(containerId);
      log.warn(
        { containerId, sessionId: owner.sessionId },
        'container of the other runtime removed',
      );
    }
  } catch (err) {
    log.debug({ err }, 'the other runtime does not answer');
  }
}
