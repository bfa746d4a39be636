/** Builds what every part of the daemon needs: folders, mailboxes, sessions, and what becomes of both when they fail. */
import { join } from 'node:path';
import type { Clock } from '../../shared/base/clock.js';
import type { NewId } from '../../shared/base/ids.js';
import { readMigrations } from '../../shared/base/sqlite/migrate.js';
import type { ContainerRuntime } from '../containers/spec/container-runtime.js';
import { nextRun } from '../sessions/tasks/recurrence.js';
import type { Nudges } from '../sessions/nudges.js';
import { ClockJumps } from '../sessions/clock-jumps.js';
import { Mailbox, type MailboxDeps } from '../sessions/mailbox/mailbox.js';
import { SessionRecovery } from '../sessions/repair/session-recovery.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { Settlement, type SettledMessage } from '../sessions/settlement/settlement.js';
import { buildSessionFiles, type SessionFiles, type SessionFilesDeps } from './session-files.js';
import type { DaemonState } from '../store/daemon-state.js';
import type { DaemonStatus } from '../store/daemon-status.js';

export interface DaemonDeps extends SessionFilesDeps {
  readonly installId: string;
  /** The daemon says this about itself from the start. */
  readonly about?: Partial<DaemonState>;
  readonly version: string;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly chance: () => number;
  /** Says what a start that takes long is doing. */
  readonly onProgress: (line: string) => void;
}

/** The things that every part of the daemon may need. */
export interface Core extends Omit<SessionFiles, 'inboundMigrations'> {
  readonly deps: DaemonDeps;
  readonly runtime: ContainerRuntime;
  readonly status: DaemonStatus;
  readonly mailbox: Mailbox;
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

/** The order matters: what comes later is built on what comes before. */
export function buildCore(
  deps: DaemonDeps,
  { runtime, status }: Pick<Core, 'runtime' | 'status'>,
  calls: CoreCalls,
): Core {
  const { config } = deps;
  const files = buildSessionFiles(deps, status);
  const { folders, inboundThread, readers, shortage, inboundMigrations } = files;
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
    outboundMigrations: readMigrations(join(config.program.migrationsDir, 'outbound')),
    nudges: calls.nudges,
  });
  return { deps, runtime, status, ...files, mailbox, sessions, clockJumps, settlement, recovery };
}
