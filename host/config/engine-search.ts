import { isAbsolute, join } from 'node:path';
import { nonEmpty, type Environment } from './dot-env.js';

/** The facts by which a container engine is searched for. */
export interface EngineSearch {
  /** DOCKER_HOST: where it is set, nothing else counts. */
  readonly dockerHost: string | undefined;
  /** DOCKER_CONTEXT. */
  readonly dockerContext: string | undefined;
  /** DOCKER_CONFIG, else ~/.docker. */
  readonly dockerConfigDir: string | undefined;
  /** XDG_RUNTIME_DIR, else the folder that systemd would give the user. */
  readonly runtimeDir: string | undefined;
}

export function findEngineSearch(
  dockerHost: string | undefined,
  environment: Environment,
  uid: number | undefined,
): EngineSearch {
  const home = absolute(environment['HOME']);
  const runtimeDir = uid === undefined ? undefined : join('/run/user', String(uid));
  return {
    dockerHost,
    dockerContext: nonEmpty(environment['DOCKER_CONTEXT']),
    dockerConfigDir:
      absolute(environment['DOCKER_CONFIG']) ??
      (home === undefined ? undefined : join(home, '.docker')),
    runtimeDir: absolute(environment['XDG_RUNTIME_DIR']) ?? runtimeDir,
  };
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}
