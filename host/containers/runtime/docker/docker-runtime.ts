import type { Clock } from '../../../../shared/base/clock.js';
import { BerthError } from '../../../../shared/base/errors.js';
import type { Logger } from '../../../../shared/base/logger.js';
import type { LogLimits } from '../../../../shared/base/rotating-log.js';
import type { AgentImage } from './agent-image.js';
import {
  containerName,
  type ContainerExit,
  type ContainerRuntime,
  type ContainerSpec,
  type ObservedContainer,
  type PostureVerdict,
} from '../../spec/container-runtime.js';
import { createBody, installLabel, labelNames, parseOwner } from './docker-create-body.js';
import type { DockerEngine, EngineContainer } from './docker-engine.js';
import { watchDockerExits } from './docker-exits.js';
import { parseInspected } from './docker-inspect.js';
import { DockerLogs } from './docker-logs.js';
import { findPostureDifferences } from './docker-posture.js';
import { verifyRunning } from './docker-verification.js';
import { hasStatus } from './engine-errors.js';
import { isInContainer } from './container-confinement.js';
import { postureDiffers } from './posture-difference.js';
import type { Posture } from '../../spec/posture.js';

/** How long a removal waits for the container's last output. */
const settleMs = 2_000;

export interface DockerRuntimeDeps {
  readonly engine: DockerEngine;
  readonly image: AgentImage;
  readonly installId: string;
  readonly logLimits: LogLimits;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Containers of a Docker or Podman engine. The truth lies with the engine; here are only streams. */
export class DockerRuntime implements ContainerRuntime {
  readonly name = 'docker';
  readonly isolates = true;
  readonly #deps: DockerRuntimeDeps;
  readonly #logs: DockerLogs;
  readonly #closing = new AbortController();
  /** Names whose start has not returned yet. */
  readonly #starting = new Set<string>();
  /** For each list that is under way: the names whose start was under way at any time of it. */
  readonly #lists = new Set<Set<string>>();
  /** The engine was found to have the image. */
  #hasImage = false;
  #watching: Promise<void> | undefined;

  constructor(deps: DockerRuntimeDeps) {
    this.#deps = deps;
    this.#logs = new DockerLogs({ engine: deps.engine, limits: deps.logLimits, log: deps.log });
  }

  async prepare(onProgress: (line: string) => void): Promise<void> {
    await this.#deps.image.ensure(onProgress);
    this.#hasImage = true;
  }

  imageName(): Promise<string> {
    return this.#deps.image.tag();
  }

  async hasImage(): Promise<boolean> {
    this.#hasImage ||= await this.#deps.image.isBuilt();
    return this.#hasImage;
  }

  async list(): Promise<readonly ObservedContainer[]> {
    const { engine, installId } = this.#deps;
    const unborn = new Set(this.#starting);
    this.#lists.add(unborn);
    try {
      const found = await engine.listContainers(installLabel(installId));
      return found.filter(({ name }) => !unborn.has(name)).flatMap(observe);
    } finally {
      this.#lists.delete(unborn);
    }
  }

  async start(spec: ContainerSpec): Promise<string> {
    if (this.#starting.has(spec.name)) throw nameTaken(spec.name);
    for (const names of [this.#starting, ...this.#lists]) names.add(spec.name);
    let containerId: string | undefined;
    try {
      containerId = await this.#create(spec);
      // Not beside the start: what differs runs nothing. The engine answers within two milliseconds.
      await this.#assertPosture(containerId, spec.posture);
      await this.#deps.engine.startContainer(containerId);
      this.#logs.follow(containerId, spec.logPath, 'start');
      return containerId;
    } catch (error) {
      if (containerId !== undefined) await this.#discard(containerId);
      throw error;
    } finally {
      this.#starting.delete(spec.name);
    }
  }

  async verify(containerId: string, posture: Posture | undefined): Promise<PostureVerdict> {
    return await verifyRunning(this.#deps.engine, containerId, posture, this.#closing.signal);
  }

  /** The engine counts a grace in whole seconds: it is rounded up. */
  async stop(containerId: string, graceMs: number): Promise<void> {
    await this.#deps.engine.stopContainer(containerId, Math.ceil(graceMs / 1_000));
  }

  /** The engine keeps what a container printed no longer than the container: first the log, then the removal. */
  async remove(containerId: string): Promise<void> {
    await this.#deps.engine.stopContainer(containerId, 0);
    await this.#logs.settle(containerId, settleMs);
    await this.#deps.engine.removeContainer(containerId);
  }

  async hasProcess(containerId: string, pid: number): Promise<boolean> {
    return await isInContainer(containerId, pid);
  }

  async settleLog(containerId: string): Promise<void> {
    await this.#logs.settle(containerId, settleMs);
  }

  followLog(container: ObservedContainer, logPath: string): void {
    this.#logs.follow(container.containerId, logPath, 'last');
  }

  watchExits(onExit: (exit: ContainerExit) => void): void {
    const { engine, installId, log } = this.#deps;
    const listExits = (): Promise<readonly ContainerExit[]> => this.#listExits();
    this.#watching ??= watchDockerExits(
      { engine, label: installLabel(installId), listExits, onExit, log },
      this.#closing.signal,
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#logs.stop(), this.#watching]);
    this.#deps.engine.close();
  }

  async #listExits(): Promise<readonly ContainerExit[]> {
    const ended = (await this.list()).filter(({ state }) => state === 'exited');
    return ended.map(({ containerId, owner }) => ({ containerId, sessionId: owner.sessionId }));
  }

  /** Two things may stand in the way, each put right once: the image is gone, or the name is taken. */
  async #create(spec: ContainerSpec): Promise<string> {
    const { image } = this.#deps;
    try {
      return await this.#tryCreate(spec, await image.tag());
    } catch (error) {
      if (hasStatus(error, 404)) await image.ensure(this.#logProgress);
      else if (hasStatus(error, 409)) await this.#freeName(spec.name);
      else throw error;
    }
    return await this.#tryCreate(spec, await image.tag());
  }

  async #tryCreate(spec: ContainerSpec, tag: string): Promise<string> {
    const { engine, clock } = this.#deps;
    return await engine.createContainer(spec.name, createBody(spec, tag, clock.now()));
  }

  async #assertPosture(containerId: string, posture: Posture): Promise<void> {
    const answer = await this.#deps.engine.inspectContainer(containerId);
    const differences = findPostureDifferences(posture, parseInspected(answer));
    if (differences.length > 0) throw postureDiffers(differences);
  }

  readonly #logProgress = (line: string): void => {
    this.#deps.log.debug({ line }, 'building the agent image');
  };

  /** Removes what a crash left under the name; a container that runs, or is not ours, stays. */
  async #freeName(name: string): Promise<void> {
    const { engine, installId } = this.#deps;
    const holder = await engine.findContainer(name);
    if (holder === undefined) return;
    if (holder.labels[labelNames.install] !== installId || isRunning(holder)) throw nameTaken(name);
    await engine.removeContainer(holder.containerId);
  }

  async #discard(containerId: string): Promise<void> {
    try {
      await this.#deps.engine.removeContainer(containerId);
    } catch (err) {
      // `list` shows it once the engine answers again.
      this.#deps.log.warn({ err, containerId }, 'container left after failed start');
    }
  }
}

function nameTaken(name: string): BerthError {
  return new BerthError('engine_failed', `A container named ${name} is there already.`, {
    next: `Examine it with docker inspect ${name}.`,
  });
}

const goneStates = new Set(['created', 'exited', 'dead', 'removing']);

function isRunning(container: EngineContainer): boolean {
  return !goneStates.has(container.state);
}

function observe(container: EngineContainer): ObservedContainer[] {
  const { containerId, name, labels, state, status } = container;
  const owner = parseOwner(labels);
  // Images that are made of a container keep its labels, and so does what is run from them.
  if (owner === undefined || name !== containerName(owner)) return [];
  const running = isRunning(container);
  const exitCode = /^Exited \((\d+)\)/.exec(status)?.[1];
  return [
    {
      containerId,
      owner,
      state: running ? 'running' : 'exited',
      startedAtMs: state === 'created' ? 0 : Number(labels[labelNames.startedAt] ?? 0),
      exitCode: running || exitCode === undefined ? null : Number(exitCode),
      fingerprint: labels[labelNames.fingerprint] ?? null,
    },
  ];
}
