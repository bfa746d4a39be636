import type { Logger } from '../../shared/base/logger.js';
import type { Reconciler } from '../containers/reconciler.js';
import type { ContainerRuntime } from '../containers/spec/container-runtime.js';
import type { MailboxDeps } from '../sessions/mailbox/mailbox.js';
import { BlockedSessions } from '../sessions/mailbox/blocked-sessions.js';
import { LockHolders } from '../sessions/mailbox/lock-holders.js';

/** Answers the mailbox when a lock on a session's inbound.db stays. `reconciler`: asked for when it is needed. */
export function joinLocks(
  log: Logger,
  runtime: ContainerRuntime,
  reconciler: () => Pick<Reconciler, 'endStuck' | 'findRunning'>,
): NonNullable<MailboxDeps['onBlocked']> {
  const sessions = new BlockedSessions({
    holders: new LockHolders(),
    log,
    isOfContainer: async (sessionId, pid) => {
      const containerId = reconciler().findRunning(sessionId);
      return containerId !== undefined && (await runtime.hasProcess(containerId, pid));
    },
    endContainer: (sessionId) =>
      reconciler().endStuck(sessionId, 'it held a lock on its inbound.db for seconds'),
  });
  return (sessionId, path) => sessions.help(sessionId, path);
}
