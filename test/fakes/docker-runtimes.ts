import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AgentImage } from '../../host/containers/runtime/docker/agent-image.js';
import { DockerEngine } from '../../host/containers/runtime/docker/docker-engine.js';
import { DockerRuntime } from '../../host/containers/runtime/docker/docker-runtime.js';
import { systemClock } from '../../shared/base/clock.js';
import { silentLogger } from '../../shared/base/logger.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

export function testEngine(): DockerEngine {
  const dockerHost = process.env['DOCKER_HOST'];
  return new DockerEngine({ dockerHost, timeoutMs: 30_000, startTimeoutMs: 60_000 });
}

export function testImage(
  engine: DockerEngine,
  contextDir: string,
  baseImage: string | undefined,
): AgentImage {
  const limits = { buildTimeoutMs: 1_200_000, idleTimeoutMs: 600_000 };
  return new AgentImage({ engine, contextDir, baseImage, ...limits, log: silentLogger });
}

export function testRuntime(
  engine: DockerEngine,
  image: AgentImage,
  installId: string,
): DockerRuntime {
  return new DockerRuntime({
    engine,
    image,
    installId,
    logLimits: { maxBytes: 1_000_000, keep: 2 },
    clock: systemClock,
    log: silentLogger,
  });
}

/** The agent image's folder as the build makes it, with the stand-in in the runner's place. Remove it after use. */
export async function makeStandInContext(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-image-'));
  const sqlite = dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json'));
  await cp(join(root, 'Dockerfile.agent'), join(folder, 'Dockerfile'));
  await cp(join(root, 'scripts/fit-addon.sh'), join(folder, 'fit-addon.sh'));
  await cp(join(root, 'test/fakes/stand-in-runner.cjs'), join(folder, 'runner-echo.cjs'));
  await cp(join(sqlite, 'build/Release/better_sqlite3.node'), join(folder, 'better_sqlite3.node'));
  await mkdir(join(folder, 'migrations'));
  await cp(join(root, 'migrations/outbound'), join(folder, 'migrations/outbound'), {
    recursive: true,
  });
  await writeFile(join(folder, 'package.json'), '{"private":true}\n');
  return folder;
}

export async function removeContext(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}
