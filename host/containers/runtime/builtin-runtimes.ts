/** Everything that can run agents, in the order in which it is tried. */
import type { Clock } from '../../../shared/base/clock.js';
import { BerthError, toBerthError } from '../../../shared/base/errors.js';
import type { Logger } from '../../../shared/base/logger.js';
import { runtimeNames, type RuntimeName } from '../../../shared/protocol/runtime-names.js';
import { AgentImage } from './docker/agent-image.js';
import type { ContainerRuntime } from '../spec/container-runtime.js';
import { DockerEngine } from './docker/docker-engine.js';
import { DockerRuntime } from './docker/docker-runtime.js';
import {
  describeEngine,
  listEnginePlaces,
  type EnginePlace,
  type EngineSearch,
} from './docker/engine-places.js';
import { ProcessRuntime } from './process/process-runtime.js';

export interface ImageSettings {
  readonly engineSearch: EngineSearch;
  readonly baseImage: string | undefined;
  readonly engineTimeoutMs: number;
  /** dist/agent-image. */
  readonly agentImageDir: string;
  readonly log: Logger;
}

export interface RuntimeSettings extends ImageSettings {
  readonly pollIntervalMs: number;
  /** By provider: its runner's bundle. */
  readonly runners: Readonly<Record<string, string>>;
  readonly processesDir: string;
  readonly executablePath: string;
  readonly installId: string;
  readonly clock: Clock;
}

export interface RuntimeStrategy<N extends RuntimeName = RuntimeName> {
  readonly name: N;
  /** As of the runtime that it builds: whether isolation is lost is asked of this, and not of a name. */
  readonly isolates: boolean;
  /** The address of its engine, as it is told; null: it has none. */
  readonly address: string | null;
  /** Undefined: it can be used. Else why not; answers within the time that an engine has. */
  canReach(): Promise<BerthError | undefined>;
  build(): ContainerRuntime;
}

const strategies: {
  readonly [N in RuntimeName]: (
    settings: RuntimeSettings,
  ) => Promise<readonly RuntimeStrategy<N>[]>;
} = {
  docker: async (settings) =>
    (await listEnginePlaces(settings.engineSearch)).map((place) => engineAt(place, settings)),
  process: (settings) => Promise.resolve([processes(settings)]),
};

/** `BERTH_RUNTIME=auto` takes the first that can be reached. */
export async function builtinRuntimes(
  settings: RuntimeSettings,
): Promise<readonly RuntimeStrategy[]> {
  const found = await Promise.all(runtimeNames.map((name) => strategies[name](settings)));
  return found.flat();
}

const logLimits = { maxBytes: 5 * 1024 * 1024, keep: 3 };

export function engineAt(
  { dockerHost }: Pick<EnginePlace, 'dockerHost'>,
  settings: RuntimeSettings,
): RuntimeStrategy<'docker'> {
  const { installId, clock, log } = settings;
  return {
    name: 'docker',
    isolates: true,
    address: describeEngine(dockerHost),
    canReach: () => findEngineProblem(dockerHost, settings),
    build: () => {
      const { image, engine } = buildAgentImage(dockerHost, settings);
      return new DockerRuntime({ engine, image, installId, logLimits, clock, log });
    },
  };
}

function processes(settings: RuntimeSettings): RuntimeStrategy<'process'> {
  const { runners, processesDir, installId, executablePath } = settings;
  const { pollIntervalMs, clock, log } = settings;
  return {
    name: 'process',
    isolates: false,
    address: null,
    canReach: () => Promise.resolve(undefined),
    build: () =>
      new ProcessRuntime({
        runners,
        stateDir: processesDir,
        installId,
        path: executablePath,
        logLimits,
        pollIntervalMs,
        clock,
        log,
      }),
  };
}

/** The agent image of these settings in the first engine that can be reached, else in the first of all. */
export async function findAgentImage(
  settings: ImageSettings,
): Promise<{ image: AgentImage; engine: DockerEngine }> {
  const places = await listEnginePlaces(settings.engineSearch);
  for (const { dockerHost } of places) {
    if ((await findEngineProblem(dockerHost, settings)) === undefined) {
      return buildAgentImage(dockerHost, settings);
    }
  }
  return buildAgentImage(places[0]?.dockerHost, settings);
}

function buildAgentImage(
  dockerHost: string | undefined,
  settings: ImageSettings,
): { image: AgentImage; engine: DockerEngine } {
  const engine = engineClient(dockerHost, settings);
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

async function findEngineProblem(
  dockerHost: string,
  settings: ImageSettings,
): Promise<BerthError | undefined> {
  const engine = engineClient(dockerHost, settings);
  try {
    await engine.version();
    // An engine that does not describe itself is judged by what it starts.
    const mapsUsers = await engine.mapsUsers().catch(() => false);
    return mapsUsers ? mappedUsers(describeEngine(dockerHost)) : undefined;
  } catch (error) {
    return toBerthError(error);
  } finally {
    engine.close();
  }
}

/** An agent of such an engine owns none of the folders that it is to write: each of its messages would fail. */
function mappedUsers(address: string): BerthError {
  return new BerthError(
    'engine_failed',
    `The container engine at ${address} gives containers other users than they are told (rootless, or userns-remap): agents could not write their files.`,
    { next: 'Use an engine that root runs, without userns-remap, and name it with DOCKER_HOST.' },
  );
}

function engineClient(
  dockerHost: string | undefined,
  { engineTimeoutMs }: ImageSettings,
): DockerEngine {
  return new DockerEngine({
    dockerHost,
    timeoutMs: engineTimeoutMs,
    startTimeoutMs: engineTimeoutMs * 2,
  });
}
