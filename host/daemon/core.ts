/** Builds what every part of the daemon needs: folders, mailboxes, sessions, and what becomes of both when they fail. */
import { join } from 'node:path';
import type { Clock } from '../../shared/base/clock.js';
import type { BerthError } from '../../shared/base/errors.js';
import type { NewId } from '../../shared/base/ids.js';
import type { Logger } from '../../shared/base/logger.js';
import { readMigrations } from '../../shared/base/sqlite/migrate.js';
import type { Config } from '../config/config.js';
import type { ContainerRuntime } from '../containers/spec/container-runtime.js';
import { nextRun } from '../sessions/tasks/recurrence.js';
import type { Nudges } from '../sessions/nudges.js';
import { ClockJumps } from '../sessions/clock-jumps.js';
import { Mailbox, type MailboxDeps } from '../sessions/mailbox/mailbox.js';
import type { Handover } from '../sessions/files/agent-files.js';
import { InboundThread } from '../sessions/mailbox/inbound-thread.js';
import { readerUserFor } from '../sessions/reader/reader-user.js';
import { ReaderPool } from '../sessions/reader/reader-pool.js';
import { agentUserFor, SessionFolders } from '../sessions/session-folder.js';
import { SessionRecovery } from '../sessions/repair/session-recovery.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { Settlement, type SettledMessage } from '../sessions/settlement/settlement.js';
import { CheckpointWatch, maxLogPages } from './checkpoint-watch.js';
import { DiskWatch } from './disk-watch.js';
import { ShortageWatch } from './shortage-watch.js';
import type { DaemonState } from '../store/daemon-state.js';
import type { DaemonStatus } from '../store/daemon-status.js';
import type { Store } from '../store/store.js';

export interface DaemonDeps {
  readonly config: Config;
  readonly store: Store;
  readonly installId: string;
  /** The daemon says this about itself from the start. */
  readonly about?: Partial<DaemonState>;
  readonly version: string;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly chance: () => number;
  readonly log: Logger;
  /** How agents come to files of their own, as probeOwners found. */
  readonly handover?: Handover;
  /** Says what a start that takes long is doing. */
  readonly onProgress: (line: string) => void;
  /** The daemon cannot go on, and is to be ended. */
  readonly onFatal: (error: BerthError) => void;
}

/** The things that every part of the daemon may need. */
export interface Core {
  readonly deps: DaemonDeps;
  readonly runtime: ContainerRuntime;
  readonly status: DaemonStatus;
  readonly folders: SessionFolders;
  readonly mailbox: Mailbox;
  /** Use inbound.db and outbound.db files for the mailbox; started before anything else, stopped after it. */
  readonly inboundThread: InboundThread;
  readonly readers: ReaderPool;
  readonly shortage: ShortageWatch;
  readonly checkpoints: CheckpointWatch;
  readonly sessions: SessionRegistry;
  readonly clockJumps: ClockJumps;
  readonly settlement: Settlement;
  readonly recovery: SessionRecovery;
}

/** The calls by which the core tells the parts above it. */
export interface CoreCalls {
  /** A warm session has found its conversation. */
  readonly onTaken: () => void;
  readonly onSettled: (message: SettledMessage) => void;
  readonly nudges: Nudges;
  /** As MailboxDeps.onBlocked. */
  readonly onBlocked: NonNullable<MailboxDeps['onBlocked']>;
}

const lockTimeoutMs = 5_000;
/** Of inbound.db files that stay open, and for how long without use, in milliseconds. */
const maxOpenFiles = 64;
const idleFileMs = 60_000;

/** The order matters: what comes later is built on what comes before. */
export function buildCore(
  deps: DaemonDeps,
  { runtime, status }: Pick<Core, 'runtime' | 'status'>,
  calls: CoreCalls,
): Core {
  const { config } = deps;
  const { user, closedFolder } = readerUserFor(config.paths);
  if (closedFolder !== undefined) {
    deps.log.warn(
      { folder: closedFolder },
      'reader runs as root: a folder lets no other user through',
    );
  }
  const folders = new SessionFolders({
    ...config.paths,
    agentUser: agentUserFor(process.getuid?.(), process.getgid?.()),
    mustGiveAway: process.getuid?.() === 0,
    readerUser: user,
    handover: deps.handover,
    log: deps.log,
  });
  const { migrationsDir, workersDir } = config.program;
  const inboundMigrations = readMigrations(join(migrationsDir, 'inbound'));
  const disk = new DiskWatch(status);
  const shortage = new ShortageWatch({ status, log: deps.log });
  const inboundThread = new InboundThread({
    script: join(workersDir, 'inbound-thread.cjs'),
    settings: { migrations: inboundMigrations, maxOpen: maxOpenFiles, idleMs: idleFileMs },
    onTook: (ms) => {
      disk.note(ms);
    },
    onPutRight: ({ path, changes }) => {
      deps.log.warn({ path, changes }, 'inbound database put right');
    },
    onFatal: deps.onFatal,
  });
  deps.store.leaveCheckpoints(maxLogPages);
  const checkpoints = new CheckpointWatch({
    path: config.paths.centralDb,
    checkpoint: (path) => inboundThread.checkpoint(path),
    isDiskSlow: () => disk.isSlow,
    log: deps.log,
  });
  const readers = new ReaderPool({
    settings: {
      script: join(workersDir, 'reader.cjs'),
      folder: config.paths.sessionsDir,
      user,
    },
    log: deps.log,
    onSlowDisk: () => {
      disk.noteStall();
    },
  });
  const mailbox: Mailbox = new Mailbox({
    folders,
    inboundFiles: inboundThread,
    outboundFiles: readers,
    inboundMigrations,
    lockTimeoutMs,
    onBlocked: calls.onBlocked,
    onShort: (reason) => shortage.note(reason),
    recovery: {
      isInUse: (sessionId) => recovery.isInUse(sessionId),
      restore: (sessionId, error) => recovery.restore(sessionId, error),
    },
  });
  const sessions = new SessionRegistry({
    ...deps,
    onTaken: calls.onTaken,
  });
  const clockJumps = new ClockJumps({ ...deps, monotonicNow: () => performance.now() });
  const settlement = new Settlement({
    ...deps,
    clockJumps,
    mailbox,
    onSettled: calls.onSettled,
    nudges: calls.nudges,
    nextRun,
    timeZone: config.timeZone,
  });
  const recovery: SessionRecovery = new SessionRecovery({
    ...deps,
    folders,
    mailbox,
    inboundFiles: inboundThread,
    sessions,
    inboundMigrations,
    outboundMigrations: readMigrations(join(migrationsDir, 'outbound')),
    nudges: calls.nudges,
  });
  const files = { folders, mailbox, inboundThread, readers, shortage, checkpoints };
  return { deps, runtime, status, ...files, sessions, clockJumps, settlement, recovery };
}
