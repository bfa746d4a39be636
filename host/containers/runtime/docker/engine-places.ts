/** Finds where container engines may listen: as Docker's own command does, then at the usual sockets of rootless Docker and Podman. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { formatEngineAddress, parseEngineAddress } from './engine-address.js';

/** The facts of the environment that say where to search. */
export interface EngineSearch {
  /** DOCKER_HOST: where it is set, nothing else counts. */
  readonly dockerHost: string | undefined;
  /** DOCKER_CONTEXT: the name of a context, instead of the current one. */
  readonly dockerContext: string | undefined;
  /** The folder of Docker's own settings. */
  readonly dockerConfigDir: string | undefined;
  /** XDG_RUNTIME_DIR: the folder of the user's own sockets. */
  readonly runtimeDir: string | undefined;
}

export interface EnginePlace {
  /** For a person: why it is searched there. */
  readonly origin: string;
  /** As DOCKER_HOST holds it. */
  readonly dockerHost: string;
}

/** In the order in which they are tried, each address once. */
export async function listEnginePlaces(search: EngineSearch): Promise<readonly EnginePlace[]> {
  const { dockerHost, dockerConfigDir, runtimeDir } = search;
  if (dockerHost !== undefined) return [{ origin: 'DOCKER_HOST', dockerHost }];
  const sockets: readonly (readonly [origin: string, folder: string | undefined, path: string])[] =
    [
      ['the usual socket', '/var/run', 'docker.sock'],
      ["rootless Docker's socket", runtimeDir, 'docker.sock'],
      ["Docker's socket of this user", dockerConfigDir, 'run/docker.sock'],
      ["rootless Podman's socket", runtimeDir, 'podman/podman.sock'],
      ["Podman's socket", '/run', 'podman/podman.sock'],
    ];
  const places = sockets.flatMap(([origin, folder, path]) =>
    folder === undefined ? [] : [{ origin, dockerHost: `unix://${join(folder, path)}` }],
  );
  const known = new Set<string>();
  return [...(await findContext(search)), ...places].filter(({ dockerHost: host }) => {
    const isNew = !known.has(host);
    known.add(host);
    return isNew;
  });
}

/** The address as it is told; as it is written where that is no address. */
export function describeEngine(dockerHost: string): string {
  try {
    return formatEngineAddress(parseEngineAddress(dockerHost));
  } catch {
    return dockerHost;
  }
}

const configSchema = z.object({ currentContext: z.string().optional() });
const contextSchema = z.object({
  Endpoints: z.object({ docker: z.object({ Host: z.string() }) }),
});

/**
 * Only sockets: an engine of another machine does not see the folders that containers need, and one behind ssh or TLS is not
 * spoken to. Source: docs.docker.com/engine/manage-resources/contexts; a context's folder is named by the SHA-256 of its name.
 */
async function findContext({
  dockerContext,
  dockerConfigDir,
}: EngineSearch): Promise<readonly EnginePlace[]> {
  if (dockerConfigDir === undefined) return [];
  const config = await readJson(join(dockerConfigDir, 'config.json'), configSchema);
  const name = dockerContext ?? config?.currentContext ?? 'default';
  if (name === 'default' || name === '') return [];
  const id = createHash('sha256').update(name).digest('hex');
  const meta = join(dockerConfigDir, 'contexts', 'meta', id, 'meta.json');
  const host = (await readJson(meta, contextSchema))?.Endpoints.docker.Host ?? '';
  if (!host.startsWith('unix:///')) return [];
  return [{ origin: `the docker context ${name}`, dockerHost: host }];
}

/** Undefined where it is not there or says something else: then nothing is known. */
async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}
