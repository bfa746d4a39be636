/** A daemon's life, from its lock to its last log line. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { toBerthError } from '../../shared/base/errors.js';
import { Deadline } from '../../shared/base/lifecycle.js';
import { createLogger, type Logger } from '../../shared/base/logger.js';
import { RotatingLog } from '../../shared/base/rotating-log.js';
import { startDaemon, type ContainersAtStop, type Daemon } from '../daemon.js';
import { backUpDaily, openStore } from '../store/central-db.js';
import { DaemonLock } from '../store/daemon-lock.js';
import { ensureInstallId } from '../store/install-id.js';
import type { Store } from '../store/store.js';
import type { CommandContext } from './command-context.js';
import { formatLogLine } from './log-lines.js';
import { describeReady } from './ready-words.js';
import { centralPaths } from './store-access.js';

export interface RunOptions {
  /** Nobody watches: only the log says what happens. */
  readonly isDetached: boolean;
}

interface StopRequest {
  readonly containers: ContainersAtStop;
  readonly exitCode: number;
}

const logLimits = { maxBytes: 5 * 1024 * 1024, keep: 3 };
/** How long a start that is not wanted any more is waited for: what it began can then be ended in order. */
const abandonMs = 2_000;

/** Runs until it is asked to end; returns the exit code. Throws daemon_running, and what makes a start impossible. */
export async function runDaemon(context: CommandContext, options: RunOptions): Promise<number> {
  const { config } = context;
  for (const folder of [config.paths.dataDir, config.paths.logsDir]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  const lock = DaemonLock.acquire(config.paths.lock);
  const file = new RotatingLog({ path: join(config.paths.logsDir, 'daemon.log'), ...logLimits });
  const log = createLogger(config.logLevel, {
    write: (line) => {
      file.write(line);
      if (!options.isDetached) echo(context, line.trimEnd());
    },
  });
  const stopRequested = awaitStopRequest(context, log);
  try {
    return await runWithStore(context, options, log, stopRequested);
  } catch (err) {
    log.error({ err }, 'daemon failed');
    throw err;
  } finally {
    await file.close();
    lock.release();
  }
}

function echo({ output }: CommandContext, line: string): void {
  output.line(output.isJson ? line : formatLogLine(line));
}

function awaitStopRequest({ edge }: CommandContext, log: Logger): Promise<StopRequest> {
  return new Promise((resolve) => {
    edge.onStopRequest((containers) => {
      log.info({ containers }, 'asked to stop');
      resolve({ containers, exitCode: 0 });
    });
    edge.onCrash((error) => {
      log.error({ err: toBerthError(error) }, 'unexpected failure');
      resolve({ containers: 'keep', exitCode: 1 });
    });
  });
}

async function runWithStore(
  context: CommandContext,
  options: RunOptions,
  log: Logger,
  stopRequested: Promise<StopRequest>,
): Promise<number> {
  const { config, clock } = context;
  const paths = centralPaths(config);
  const { store, applied, backup } = openStore(paths, clock.now());
  try {
    if (applied.length > 0) log.info({ applied, backup }, 'central database migrated');
    const daily = backUpDaily(paths, clock.now());
    if (daily !== undefined) log.info({ backup: daily }, 'central database backed up');
    return await live(context, options, { store, log, stopRequested });
  } finally {
    store.close();
  }
}

interface Life {
  readonly store: Store;
  readonly log: Logger;
  readonly stopRequested: Promise<StopRequest>;
}

async function live(context: CommandContext, options: RunOptions, life: Life): Promise<number> {
  const { log, stopRequested } = life;
  const daemon = await startUnlessStopped(context, options, life);
  if (daemon !== undefined) {
    log.info({ runtime: daemon.runtime.name, pid: process.pid }, 'ready');
    if (!options.isDetached) sayReady(context, daemon);
  }
  const { containers, exitCode } = await stopRequested;
  await daemon?.stop(containers);
  log.info({ containers }, 'stopped');
  return exitCode;
}

/** Undefined where it was asked to stop before it was ready. */
async function startUnlessStopped(
  context: CommandContext,
  options: RunOptions,
  { store, log, stopRequested }: Life,
): Promise<Daemon | undefined> {
  const { config, version, clock, newId, output } = context;
  const starting = startDaemon({
    config,
    store,
    installId: ensureInstallId(config.paths),
    version,
    clock,
    newId,
    chance: Math.random,
    log,
    onProgress: (line) => {
      log.info({ activity: line }, 'preparing');
      if (!options.isDetached) output.note(line);
    },
  });
  const abandoned = stopRequested.then(async () => {
    await new Deadline(abandonMs).wait(starting);
    return undefined;
  });
  return Promise.race([starting, abandoned]);
}

function sayReady({ output, config }: CommandContext, { runtime, remark }: Daemon): void {
  const facts = { pid: process.pid, runtime: runtime.name, remark, socket: config.paths.socket };
  output.line(output.isJson ? JSON.stringify({ ready: true, ...facts }) : describeReady(facts));
}
