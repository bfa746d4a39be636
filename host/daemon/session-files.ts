import { join } from 'node:path';
import type { BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { readMigrations, type Migration } from '../../shared/base/sqlite/migrate.js';
import type { Config } from '../config/config.js';
import type { Handover } from '../sessions/files/agent-files.js';
import { InboundThread } from '../sessions/mailbox/inbound-thread.js';
import { ReaderPool } from '../sessions/reader/reader-pool.js';
import { readerUserFor } from '../sessions/reader/reader-user.js';
import { agentUserFor, SessionFolders } from '../sessions/session-folder.js';
import type { DaemonStatus } from '../store/daemon-status.js';
import type { Store } from '../store/store.js';
import { CheckpointWatch, maxLogPages } from './checkpoint-watch.js';
import { DiskWatch } from './disk-watch.js';
import { ShortageWatch } from './shortage-watch.js';

export interface SessionFilesDeps {
  readonly config: Config;
  readonly store: Store;
  /** How agents come to files of their own, as probeOwners found. */
  readonly handover?: Handover;
  /** The daemon cannot go on, and is to be ended. */
  readonly onFatal: (error: BerthError) => void;
  readonly log: Logger;
}

export interface SessionFiles {
  readonly folders: SessionFolders;
  /** Use inbound.db and outbound.db files for the mailbox; started before anything else, stopped after it. */
  readonly inboundThread: InboundThread;
  readonly readers: ReaderPool;
  readonly shortage: ShortageWatch;
  readonly checkpoints: CheckpointWatch;
  readonly inboundMigrations: readonly Migration[];
}

/** Of inbound.db files that stay open, and for how long without use, in milliseconds. */
const maxOpenFiles = 64;
const idleFileMs = 60_000;

/** Builds what reads and writes the files of sessions. */
export function buildSessionFiles(deps: SessionFilesDeps, status: DaemonStatus): SessionFiles {
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
  return { folders, inboundThread, readers, shortage, checkpoints, inboundMigrations };
}
