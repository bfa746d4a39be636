import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { BerthError } from '../../../../shared/base/errors.js';

export interface SpawnRequest {
  readonly runnerPath: string;
  readonly cwd: string;
  /** The whole environment: nothing of ours is added. */
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
}

export interface SpawnedProcess {
  /** Also the id of its process group and session. */
  readonly pid: number;
  /** Its exit code, 128 + signal number, or null; never rejects. */
  readonly ended: Promise<number | null>;
}

/**
 * Starts a runner that does not end with us: it leads its own session and holds its log file open itself
 * (which is why this is no execa: that takes no open file). Throws engine_failed.
 */
export async function spawnRunner(request: SpawnRequest): Promise<SpawnedProcess> {
  await mkdir(dirname(request.logPath), { recursive: true, mode: 0o700 });
  const output = await open(request.logPath, 'a', 0o600);
  try {
    const child = spawn(process.execPath, [request.runnerPath], {
      cwd: request.cwd,
      env: request.env,
      stdio: ['ignore', output.fd, output.fd],
      detached: true,
    });
    if (child.pid === undefined) throw await notStarted(child);
    child.unref();
    return { pid: child.pid, ended: endOf(child) };
  } finally {
    await output.close();
  }
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(signal === null ? code : 128 + constants.signals[signal]);
    });
  });
}

async function notStarted(child: ChildProcess): Promise<BerthError> {
  const [error] = (await once(child, 'error')) as [Error];
  return new BerthError('engine_failed', `The runner could not be started: ${error.message}`, {
    next: 'See whether its folders are there and may be read.',
    cause: error,
  });
}
