/** A daemon's life, from its lock to its last log line. */
import { join } from 'node:path';
import { isoAt } from '../../shared/base/clock.js';
import { toBerthError } from '../../shared/base/errors.js';
import { Deadline } from '../../shared/base/lifecycle.js';
import { createLogger, type Logger } from '../../shared/base/logger.js';
import { RotatingLog } from '../../shared/base/rotating-log.js';
import { assertSocketPath } from '../channels/terminal-protocol.js';
import { startDaemon, type ContainersAtStop, type Daemon } from '../daemon.js';
import { backUpDaily, openStore } from '../store/central-db.js';
import { DaemonLock } from '../store/daemon-lock.js';
import { ensureInstallId } from '../store/install-id.js';
import { DaemonStatus } from '../store/daemon-status.js';
import type { Store } from '../store/store.js';
import type { CommandContext } from './command-context.js';
import { describeCrashPause, planCrashPause } from './crash-pause.js';
import { withInstallZone } from './install-time-zone.js';
import { formatLogLine } from './log-lines.js';
import { makeFolder } from './home-access.js';
import { describeReady, listProblems } from './ready-words.js';
import { centralPaths } from './store-access.js';

export interface RunOptions {
  /** Nobody watches: only the log says what happens. */
  readonly isDetached: boolean;
}

interface StopRequest {
  readonly containers: ContainersAtStop;
  readonly exitCode: number;
}

/** Somebody who holds the central database for long keeps their own changes from being seen, and nothing else. */
const centralWaitMs = 250;
const logLimits = { maxBytes: 5 * 1024 * 1024, keep: 3 };
/** How long a start that is not wanted any more is waited for: what it began can then be ended in order. */
const abandonMs = 2_000;

/** Runs until it is asked to end; returns the exit code. Throws daemon_running, and what makes a start impossible. */
export async function runDaemon(context: CommandContext, options: RunOptions): Promise<number> {
  const { config } = context;
  assertSocketPath(config.paths.socket);
  makeFolder(config.paths.logsDir);
  const lock = DaemonLock.acquire(config.paths.lock);
  const file = new RotatingLog({ path: join(config.paths.logsDir, 'daemon.log'), ...logLimits });
  const log = createLogger(config.logLevel, {
    write: (line) => {
      file.write(line);
      if (!options.isDetached) echo(context, line.trimEnd());
    },
  });
  const stops = listenForStops(context, log);
  try {
    return await runWithStore(context, options, log, stops);
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

interface StopRequests {
  readonly requested: Promise<StopRequest>;
  /** Asks for a stop as a crash does. */
  readonly fail: (error: unknown) => void;
}

function listenForStops({ edge }: CommandContext, log: Logger): StopRequests {
  let fail: StopRequests['fail'] = () => undefined;
  const requested = new Promise<StopRequest>((resolve) => {
    fail = (error): void => {
      log.error({ err: toBerthError(error) }, 'unexpected failure');
      resolve({ containers: 'keep', exitCode: 1 });
    };
    edge.onCrash(fail);
    edge.onStopRequest((containers) => {
      log.info({ containers }, 'asked to stop');
      resolve({ containers, exitCode: 0 });
    });
  });
  return { requested, fail };
}

async function runWithStore(
  context: CommandContext,
  options: RunOptions,
  log: Logger,
  stops: StopRequests,
): Promise<number> {
  const { config, clock } = context;
  const paths = centralPaths(config);
  const { store, applied, backup } = openStore(paths, clock.now());
  store.limitWaits(centralWaitMs);
  try {
    if (applied.length > 0) log.info({ applied, backup }, 'central database migrated');
    const daily = backUpDaily(paths, clock.now());
    if (daily !== undefined) log.info({ backup: daily }, 'central database backed up');
    const zoned = { ...context, config: withInstallZone(config, store.daemonState.find()) };
    noteTimeZone(zoned, store, log);
    return await live(zoned, options, { store, log, stops });
  } finally {
    store.close();
  }
}

function noteTimeZone({ config }: CommandContext, store: Store, log: Logger): void {
  const { timeZone, timeZoneOrigin } = config;
  const before = store.daemonState.find()?.timeZone ?? timeZone;
  const { remark } = timeZoneOrigin;
  if (remark !== null) log.warn({ timeZone, remark }, 'time zone is not what TZ says');
  if (before !== timeZone) log.warn({ timeZone, before }, 'time zone is another one than before');
}

interface Life {
  readonly store: Store;
  readonly log: Logger;
  readonly stops: StopRequests;
}

async function live(context: CommandContext, options: RunOptions, life: Life): Promise<number> {
  const { store, log, stops } = life;
  void stops.requested.then(({ exitCode }) => {
    if (exitCode !== 0) noteCrash(context, life);
  });
  await pauseAfterCrashes(context, options, life);
  const daemon = await startUnlessStopped(context, options, life);
  if (daemon !== undefined) {
    log.info({ runtime: daemon.runtime.name, pid: process.pid }, 'ready');
    if (!options.isDetached) sayReady(context, daemon, store);
  }
  const { containers, exitCode } = await stops.requested;
  await daemon?.stop(containers);
  log.info({ containers }, 'stopped');
  return exitCode;
}

/** On a full disk the next start does not wait: that is no reason to end otherwise than planned. */
function noteCrash({ clock }: CommandContext, { store, log }: Life): void {
  try {
    store.daemonState.noteCrash(isoAt(clock.now()));
  } catch (err) {
    log.error({ err }, 'crash not noted');
  }
}

async function pauseAfterCrashes(
  { config, clock, version, output }: CommandContext,
  options: RunOptions,
  { store, log, stops }: Life,
): Promise<void> {
  const pause = planCrashPause(store.daemonState.listCrashes(), clock.now());
  if (pause === undefined) return;
  const activity = describeCrashPause(pause);
  const timeZone = { name: config.timeZone, remark: config.timeZoneOrigin.remark };
  new DaemonStatus({ store, clock, version, log, timeZone }).say({ phase: 'starting', activity });
  log.warn({ ...pause }, 'start is put off after crashes');
  if (!options.isDetached) output.note(activity);
  await new Deadline(pause.waitMs).wait(stops.requested);
}

/** Undefined where it was asked to stop before it was ready. */
async function startUnlessStopped(
  context: CommandContext,
  options: RunOptions,
  { store, log, stops }: Life,
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
    onFatal: stops.fail,
    onProgress: (line) => {
      log.info({ activity: line }, 'preparing');
      if (!options.isDetached) output.note(line);
    },
  });
  const abandoned = stops.requested.then(async () => {
    await new Deadline(abandonMs).wait(starting);
    return undefined;
  });
  return Promise.race([starting, abandoned]);
}

function sayReady(
  { output, config }: CommandContext,
  { runtime, remark }: Daemon,
  store: Store,
): void {
  const state = store.daemonState.find();
  const problems = state === undefined ? [] : listProblems(state);
  const facts = { pid: process.pid, runtime: runtime.name, remark, socket: config.paths.socket };
  const text = describeReady({ ...facts, problems });
  output.line(output.isJson ? JSON.stringify({ ready: true, ...facts, problems }) : text);
}
