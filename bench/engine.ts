/** The container engine as the benchmarks see it: whose containers run, what they cost, and how one dies. */
import { request } from 'node:http';
import { parseEngineAddress } from '../host/containers/runtime/docker/engine-address.js';
import { installLabel, labelNames } from '../host/containers/runtime/docker/docker-create-body.js';
import { testEngine } from '../test/fakes/docker-runtimes.js';

export interface BenchEngine {
  readonly runtime: 'docker' | 'process';
  /** Its name and version; null where none answers. */
  readonly version: string | null;
  readonly env: Readonly<Record<string, string>>;
}

/** The resources that a container has used so far, and those that it holds now. */
export interface ContainerCost {
  readonly cpuMs: number;
  /** As `docker stats` shows it: without the page cache that can be given back. */
  readonly memoryMb: number;
}

const localBase = 'berth-base:local';

export async function findEngine(): Promise<BenchEngine> {
  const engine = testEngine();
  try {
    const version = await engine.version();
    const hasLocalBase = (await engine.findImage(localBase)) !== undefined;
    const baseImage = process.env['BERTH_BASE_IMAGE'] ?? (hasLocalBase ? localBase : undefined);
    const env = baseImage === undefined ? {} : { BERTH_BASE_IMAGE: baseImage };
    return { runtime: 'docker', version, env };
  } catch {
    return { runtime: 'process', version: null, env: {} };
  } finally {
    engine.close();
  }
}

/** Ids of an install's running containers by session. */
export async function listRunning(installId: string): Promise<ReadonlyMap<string, string>> {
  const engine = testEngine();
  try {
    const containers = await engine.listContainers(installLabel(installId));
    return new Map(
      containers
        .filter(({ state }) => state === 'running')
        .map(({ containerId, labels }) => [labels[labelNames.session] ?? '', containerId] as const),
    );
  } finally {
    engine.close();
  }
}

export async function removeAll(installId: string): Promise<void> {
  const engine = testEngine();
  try {
    const containers = await engine.listContainers(installLabel(installId));
    await Promise.all(containers.map(({ containerId }) => engine.removeContainer(containerId)));
  } finally {
    engine.close();
  }
}

/** Sends SIGKILL to the container, as `docker kill` does. */
export async function killContainer(containerId: string): Promise<void> {
  await ask('POST', `/containers/${containerId}/kill`);
}

interface Stats {
  readonly cpu_stats: { readonly cpu_usage: { readonly total_usage: number } };
  readonly memory_stats: {
    readonly usage: number;
    /** cgroup v1 and v2 name it differently. */
    readonly stats: { readonly total_inactive_file?: number; readonly inactive_file?: number };
  };
}

export async function readCost(containerId: string): Promise<ContainerCost> {
  const json = await ask('GET', `/containers/${containerId}/stats?stream=false&one-shot=true`);
  const { cpu_stats: cpu, memory_stats: memory } = JSON.parse(json) as Stats;
  const cache = memory.stats.total_inactive_file ?? memory.stats.inactive_file ?? 0;
  return {
    cpuMs: cpu.cpu_usage.total_usage / 1e6,
    memoryMb: (memory.usage - cache) / 2 ** 20,
  };
}

/** The calls that dockerode has no types for, or none without its own rounding. */
function ask(method: 'GET' | 'POST', path: string): Promise<string> {
  const address = parseEngineAddress(process.env['DOCKER_HOST']);
  const where =
    address.kind === 'socket'
      ? { socketPath: address.path }
      : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    const call = request({ ...where, method, path }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('error', reject);
      response.on('end', () => {
        if ((response.statusCode ?? 500) < 400) resolve(body);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${body.trim()}`));
      });
    });
    call.on('error', reject);
    call.end();
  });
}
