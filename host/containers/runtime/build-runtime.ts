import type { Clock } from '../../../shared/base/clock.js';
import { Deadline } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import { AgentImage } from './agent-image.js';
import { chooseRuntime, type RuntimeDecision, type RuntimeWish } from './choose-runtime.js';
import type { ContainerRuntime } from './container-runtime.js';
import { DockerEngine } from './docker-engine.js';
import { DockerRuntime } from './docker-runtime.js';
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
  readonly pollIntervalMs: number;
  readonly runnerPath: string;
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

/** How long to look for containers of the other runtime, in milliseconds. */
const leftoversTimeoutMs = 2_000;

/** Builds and chooses. What runs under the other runtime is ended: a session has one runner, whoever started it. */
export async function buildRuntime(
  settings: RuntimeSettings,
  onProgress: (line: string) => void,
): Promise<RuntimeDecision> {
  const { installId, clock, log } = settings;
  const { image, engine } = buildAgentImage(settings);
  const docker = new DockerRuntime({ engine, image, installId, logLimits, clock, log });
  const process = new ProcessRuntime({
    runnerPath: settings.runnerPath,
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
  if (ended === 'late') log.warn({ runtime: other.name }, 'the other runtime is not looked into');
  await other.close();
  return decision;
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
