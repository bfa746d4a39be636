/** A daemon's life, from its lock to its last log line. */
import { uptime } from 'node:os';
import { join } from 'node:path';
import { isoAt } from '../../../shared/base/clock.js';
import { BerthError, hasCode, toBerthError } from '../../../shared/base/errors.js';
import { Deadline } from '../../../shared/base/lifecycle.js';
import { createLogger, type Logger } from '../../../shared/base/logger.js';
import { RotatingLog } from '../../../shared/base/rotating-log.js';
import { assertSocketPath } from '../../channels/terminal/terminal-protocol.js';
import { startDaemon, type ContainersAtStop, type Daemon } from '../../daemon/daemon.js';
import { copyInProcess } from '../../store/central/backup-process.js';
import { openStore } from '../../store/central/central-db.js';
import { DailyBackup } from '../../store/central/daily-backup.js';
import { DaemonLock } from '../../store/home/daemon-lock.js';
import { ensureInstall, type Install } from '../../store/home/install-id.js';
import { noteDaemonProcess } from '../../store/home/daemon-process.js';
import { DaemonStatus } from '../../store/daemon-status.js';
import type { Store } from '../../store/store.js';
import type { CommandContext } from '../command/command-context.js';
import { describeCrashPause, planCrashPause } from './crash-pause.js';
import { withInstallZone } from '../command/install-time-zone.js';
import { findDaemon } from '../command/daemon-presence.js';
import { makeFolder } from '../command/home-access.js';
import { describeOtherProgram } from './home-remarks.js';
import { formatLogLine } from './log-lines.js';
import { describeReady, listProblems } from './ready-words.js';
import { beginAdoption, describeSelf, noteHome, noteTimeZone } from './start-notes.js';
import { centralPaths } from '../command/store-access.js';

export interface RunOptions {
  /** Nobody watches: only the log says what happens. */
  readonly isDetached: boolean;
}

interface StopRequest {
  readonly containers: ContainersAtStop;
  readonly exitCode: number;
}

/** A person who holds the central database for long keeps their own changes from being seen, and nothing else. */
const centralWaitMs = 250;
const logLimits = { maxBytes: 5 * 1024 * 1024, keep: 3 };
/** How long a start that is not wanted any more is waited for: what it began can then be ended in order. */
const abandonMs = 2_000;

/** Runs until it is asked to end; returns the exit code. Throws daemon_running, and what makes a start impossible. */
export async function runDaemon(context: CommandContext, options: RunOptions): Promise<number> {
  const { config } = context;
  assertSocketPath(config.paths.socket);
  makeFolder(config.paths.logsDir);
  const lock = acquireLock(context);
  const file = new RotatingLog({ path: join(config.paths.logsDir, 'daemon.log'), ...logLimits });
  const log = createLogger(config.logLevel, {
    write: (line) => {
      file.write(line);
      if (!options.isDetached) echo(context, line.trimEnd());
    },
  });
  const stops = listenForStops(context, log);
  noteProcess(context, log);
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

/** Throws daemon_running, and says whose daemon it is where that is another program's. */
function acquireLock({ config }: CommandContext): DaemonLock {
  try {
    return DaemonLock.acquire(config.paths.lock);
  } catch (error) {
    if (!hasCode(error, 'daemon_running')) throw error;
    const daemon = findDaemon(config.paths);
    const other =
      daemon.kind === 'present'
        ? describeOtherProgram(daemon.state, config.program.root)
        : undefined;
    if (other === undefined) throw error;
    throw new BerthError('daemon_running', `${error.message} ${other}`, {
      ...(error.next === undefined ? {} : { next: error.next }),
      cause: error,
    });
  }
}

/** A full disk does not keep the daemon from running: central.db names its process, too. */
function noteProcess({ config }: CommandContext, log: Logger): void {
  try {
    noteDaemonProcess(config.paths, process.pid);
  } catch (err) {
    log.warn({ err }, 'process not noted');
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
    beginAdoption(context, store, log);
    if (applied.length > 0) log.info({ applied, backup }, 'central database migrated');
    const install = ensureInstall(config.paths);
    noteHome(context, { store, log, install });
    const zoned = { ...context, config: withInstallZone(config, store.daemonState.find()) };
    noteTimeZone(zoned, store, log);
    return await live(zoned, options, { store, log, stops, install });
  } finally {
    checkpoint(store, log);
    store.close();
  }
}

/** The last connection would do it when it closes; but a command that reads may be the last, and cannot. */
function checkpoint(store: Store, log: Logger): void {
  let err: unknown;
  try {
    if (store.checkpoint()) return;
  } catch (error) {
    err = error;
  }
  log.warn({ err }, 'central.db is not whole without its -wal file');
}

interface Life {
  readonly store: Store;
  readonly log: Logger;
  readonly stops: StopRequests;
  readonly install: Install;
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
  const { paths, program } = context.config;
  const script = join(program.workersDir, 'central-backup.cjs');
  const backup = new DailyBackup({
    backupsDir: paths.backupsDir,
    copy: (path, signal) => copyInProcess({ script, centralDb: paths.centralDb }, path, signal),
    clock: context.clock,
    uptimeMs: () => uptime() * 1_000,
    log,
  });
  if (daemon !== undefined) backup.start();
  const { containers, exitCode } = await stops.requested;
  await Promise.all([backup.stop(), daemon?.stop(containers)]);
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
  context: CommandContext,
  options: RunOptions,
  life: Life,
): Promise<void> {
  const { clock, version, output } = context;
  const { store, log, stops } = life;
  const pause = planCrashPause(store.daemonState.listCrashes(), clock.now());
  if (pause === undefined) return;
  const activity = describeCrashPause(pause);
  const { config } = context;
  const timeZone = { name: config.timeZone, remark: config.timeZoneOrigin.remark };
  const runtime = store.daemonState.find()?.runtime ?? null;
  const about = { ...describeSelf(context, options.isDetached, life), runtime };
  const self = new DaemonStatus({ store, clock, version, log, timeZone, about });
  self.say({ phase: 'starting', activity });
  log.warn({ ...pause }, 'start is put off after crashes');
  if (!options.isDetached) output.note(activity);
  await new Deadline(pause.waitMs).wait(stops.requested);
}

/** Undefined where it was asked to stop before it was ready. */
async function startUnlessStopped(
  context: CommandContext,
  options: RunOptions,
  life: Life,
): Promise<Daemon | undefined> {
  const { store, log, stops, install } = life;
  const { config, version, clock, newId, output } = context;
  const starting = startDaemon({
    config,
    store,
    installId: install.id,
    about: describeSelf(context, options.isDetached, life),
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
  const { socket } = config.paths;
  const remarks = state?.remarks ?? [];
  const facts = { pid: process.pid, runtime: runtime.name, remark, remarks, socket };
  const text = describeReady({ ...facts, problems });
  output.line(output.isJson ? JSON.stringify({ ready: true, ...facts, problems }) : text);
}
