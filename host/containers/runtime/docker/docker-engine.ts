import { Readable } from 'node:stream';
import Docker from 'dockerode';
import { formatEngineAddress, parseEngineAddress } from './engine-address.js';
import { engineTimeout, fromEngine, unless } from './engine-errors.js';

export interface DockerEngineDeps {
  /** As DOCKER_HOST: unix:///path, tcp://host:port, or undefined for the usual socket. */
  readonly dockerHost: string | undefined;
  /** How long the engine may take to answer, in milliseconds. */
  readonly timeoutMs: number;
  /** The same for starting a container. */
  readonly startTimeoutMs: number;
}

export interface EngineContainer {
  readonly containerId: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** created, running, paused, restarting, removing, exited, dead; Podman has more. */
  readonly state: string;
  /** For people: `Exited (137) 2 minutes ago`. */
  readonly status: string;
}

/** The part of the engine's create request that we use; its names are the engine's. */
export interface CreateBody {
  readonly Image: string;
  readonly Cmd: string[];
  readonly User: string;
  readonly Env: string[];
  readonly Labels: Record<string, string>;
  readonly WorkingDir: string;
  readonly HostConfig: Record<string, unknown>;
}

export interface BuildRequest {
  /** A tar archive with a Dockerfile at its top. */
  readonly context: Buffer;
  readonly tag: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** The network of its RUN steps. `default`: the engine's bridge. */
  readonly network: 'none' | 'default';
}

/**
 * The one door to dockerode: an engine that speaks Docker's API, be it Docker or Podman. Every call answers
 * in time or throws engine_unreachable, engine_failed (facts.status: the HTTP status) or engine_timeout.
 * Streams throw what broke them while they are read, and end when their signal aborts.
 */
export class DockerEngine {
  readonly #deps: DockerEngineDeps;
  /** Requests under way, to be given up when this closes. */
  readonly #open = new Set<AbortController>();
  #client: Docker | undefined;

  constructor(deps: DockerEngineDeps) {
    this.#deps = deps;
  }

  /** The engine's name and version: how to learn whether one answers. */
  async version(): Promise<string> {
    const version = await this.#call('tell its version', (docker, abortSignal) =>
      (docker as unknown as VersionApi).version({ abortSignal }),
    );
    return `${version.Components?.[0]?.Name ?? 'Engine'} ${version.Version}`;
  }

  /** Its containers' users are others on the machine than they are told: it is rootless, or has userns-remap. */
  async mapsUsers(): Promise<boolean> {
    const info = await this.#call('describe itself', (docker, abortSignal) =>
      (docker as unknown as InfoApi).info({ abortSignal }),
    );
    return (info.SecurityOptions ?? []).some((it) => /^name=(rootless|userns)\b/.test(it));
  }

  /** All containers with this label (`name=value`), running or not. */
  async listContainers(label: string): Promise<readonly EngineContainer[]> {
    const filters = { label: [label] };
    const found = await this.#call('list containers', (docker, abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    );
    return found.map((one) => ({
      containerId: one.Id,
      name: plainName(one.Names[0]),
      labels: one.Labels,
      state: one.State,
      status: one.Status,
    }));
  }

  async createContainer(name: string, body: CreateBody): Promise<string> {
    const container = await this.#call('create the container', (docker, abortSignal) =>
      docker.createContainer({ ...body, name, abortSignal }),
    );
    return container.id;
  }

  async startContainer(containerId: string): Promise<void> {
    const start = (docker: Docker, abortSignal: AbortSignal): Promise<unknown> =>
      docker.getContainer(containerId).start({ abortSignal });
    await this.#call('start the container', start, this.#deps.startTimeoutMs);
  }

  /** Returns when it does not run any more, also when it did not before. */
  async stopContainer(containerId: string, graceSeconds: number): Promise<void> {
    const stop = (docker: Docker, abortSignal: AbortSignal): Promise<unknown> =>
      docker.getContainer(containerId).stop({ t: graceSeconds, abortSignal });
    const timeoutMs = this.#deps.timeoutMs + graceSeconds * 1_000;
    await unless([304, 404], this.#call('stop the container', stop, timeoutMs));
  }

  /** Kills it if need be; what is gone or just going is fine. */
  async removeContainer(containerId: string): Promise<void> {
    const remove = (docker: Docker, abortSignal: AbortSignal): Promise<unknown> =>
      docker.getContainer(containerId).remove({ force: true, v: true, abortSignal });
    await unless([404, 409], this.#call('remove the container', remove));
  }

  /** The engine's whole answer about a container, by id or name; undefined where there is none. */
  async inspectContainer(name: string): Promise<Docker.ContainerInspectInfo | undefined> {
    return await unless(
      [404],
      this.#call('inspect the container', (docker, abortSignal) =>
        docker.getContainer(name).inspect({ abortSignal }),
      ),
    );
  }

  /** By id or name. */
  async findContainer(name: string): Promise<EngineContainer | undefined> {
    const found = await this.inspectContainer(name);
    if (found === undefined) return undefined;
    const { Config, State } = found;
    return {
      containerId: found.Id,
      name: plainName(found.Name),
      labels: Config.Labels,
      state: State.Status,
      status: `Exited (${State.ExitCode})`,
    };
  }

  /** Reads what the container printed since then (seconds with a fraction), and what it goes on printing; multiplexed. */
  openLogs(containerId: string, since: string, signal: AbortSignal): Promise<Readable> {
    const options = { follow: true, stdout: true, stderr: true, timestamps: true, since } as const;
    return this.#stream('open the log', signal, (docker, abortSignal) =>
      docker.getContainer(containerId).logs({ ...options, abortSignal }),
    );
  }

  /** Events of containers with this label, one JSON object a line. */
  openEvents(label: string, signal: AbortSignal): Promise<Readable> {
    return this.#stream('open the event stream', signal, (docker, abortSignal) =>
      docker.getEvents({ filters: { type: ['container'], label: [label] }, abortSignal }),
    );
  }

  /** The labels of an image that the engine has. */
  async findImage(name: string): Promise<Readonly<Record<string, string>> | undefined> {
    const image = await unless(
      [404],
      this.#call('inspect the image', (docker) => docker.getImage(name).inspect()),
    );
    if (image === undefined) return undefined;
    const config: { Labels: Labels | null } = image.Config;
    return config.Labels ?? {};
  }

  /** Builds with the classic builder, which every engine has; progress comes as one JSON object a line. */
  openBuild(request: BuildRequest, signal: AbortSignal): Promise<Readable> {
    const options = {
      t: request.tag,
      buildargs: { ...request.buildArgs },
      labels: { ...request.labels },
      rm: true,
      forcerm: true,
      version: '1',
      ...(request.network === 'none' ? { networkmode: 'none' } : {}),
    } as const;
    const build = (docker: Docker, abortSignal: AbortSignal): Promise<NodeJS.ReadableStream> =>
      docker.buildImage(Readable.from([request.context]), { ...options, abortSignal });
    return this.#stream('build the image', signal, build, this.#deps.startTimeoutMs);
  }

  /** Gives up what is under way. */
  close(): void {
    for (const call of this.#open) call.abort(new Error('given up: the client was closed'));
  }

  #docker(): Docker {
    if (this.#client !== undefined) return this.#client;
    const address = parseEngineAddress(this.#deps.dockerHost);
    // dockerode reads DOCKER_HOST itself where an option is missing: name every one.
    this.#client = new Docker({
      protocol: 'http',
      socketPath: address.kind === 'socket' ? address.path : undefined,
      host: address.kind === 'tcp' ? address.host : undefined,
      port: address.kind === 'tcp' ? address.port : undefined,
      ca: undefined,
      cert: undefined,
      key: undefined,
      // A connection that is kept may be dead after the engine was restarted. A header says so, not an agent:
      // dockerode formats its options for a debug log at every request, and an agent holds all open sockets.
      headers: { Connection: 'close' },
    });
    return this.#client;
  }

  /** The time covers the wait for the first byte of the answer; then the stream belongs to the caller's signal. */
  async #stream(
    what: string,
    signal: AbortSignal,
    open: (docker: Docker, abortSignal: AbortSignal) => Promise<NodeJS.ReadableStream>,
    timeoutMs = this.#deps.timeoutMs,
  ): Promise<Readable> {
    const ending = new AbortController();
    const end = (): void => {
      ending.abort();
    };
    // Not AbortSignal.any: on a signal that lives as long as the daemon it would leave something for every stream.
    signal.addEventListener('abort', end, { once: true });
    try {
      const opened = await this.#call(
        what,
        (docker, timeout) => {
          timeout.addEventListener('abort', end, { once: true });
          return open(docker, ending.signal);
        },
        timeoutMs,
      );
      if (signal.aborted) end();
      const stream = opened instanceof Readable ? opened : Readable.from(opened);
      return stream.once('close', () => {
        signal.removeEventListener('abort', end);
      });
    } catch (error) {
      signal.removeEventListener('abort', end);
      throw error;
    }
  }

  async #call<T>(
    what: string,
    run: (docker: Docker, abortSignal: AbortSignal) => Promise<T>,
    timeoutMs = this.#deps.timeoutMs,
  ): Promise<T> {
    const address = formatEngineAddress(parseEngineAddress(this.#deps.dockerHost));
    const call = new AbortController();
    this.#open.add(call);
    const givenUp = new Promise<never>((_resolve, reject) => {
      const giveUp = (): void => {
        reject(fromEngine(call.signal.reason, what, address));
      };
      call.signal.addEventListener('abort', giveUp, { once: true });
    });
    const timer = setTimeout(() => {
      call.abort(engineTimeout(what, address, timeoutMs));
    }, timeoutMs);
    try {
      // The signal ends the request; the race ends the wait where dockerode never learns of the end.
      return await Promise.race([run(this.#docker(), call.signal), givenUp]);
    } catch (error) {
      throw fromEngine(error, what, address);
    } finally {
      clearTimeout(timer);
      this.#open.delete(call);
    }
  }
}

type Labels = Readonly<Record<string, string>>;

interface Abortable {
  readonly abortSignal: AbortSignal;
}

/** Adds what dockerode does but its types do not say; an engine need not name its components. */
interface VersionApi {
  version(options: Abortable): Promise<{ Version: string; Components?: { Name: string }[] }>;
}

/** Likewise. */
interface InfoApi {
  info(options: Abortable): Promise<{ SecurityOptions?: readonly string[] | null }>;
}

/** The engine puts a slash before a name. */
function plainName(name: string | undefined): string {
  return name?.replace(/^\//, '') ?? '';
}
