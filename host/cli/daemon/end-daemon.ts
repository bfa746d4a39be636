import { BerthError } from '../../../shared/base/errors.js';
import { Deadline, delay } from '../../../shared/base/lifecycle.js';
import type { ContainersAtStop } from '../../daemon/daemon.js';
import { readDaemonState } from '../../store/daemon-state.js';
import type { CommandContext } from '../command/command-context.js';
import { findDaemon, signalDaemon, type DaemonPresence } from '../command/daemon-presence.js';

const pollIntervalMs = 20;
/** The time that a daemon may take beyond its own deadline. */
const slackMs = 5_000;
/** How long its own word is waited for: a daemon that begins has none yet. */
const unreadableMs = 2_000;

export interface EndedDaemon {
  readonly wasRunning: boolean;
  /** Sessions whose containers could not be ended with it. */
  readonly leftRunning: readonly string[];
}

/** Ends the daemon and waits until it is gone. Throws daemon_failed when it does not end. */
export async function endDaemon(
  { config }: CommandContext,
  containers: ContainersAtStop,
): Promise<EndedDaemon> {
  const deadline = new Deadline(config.stopTimeoutMs + slackMs);
  const beganAt = performance.now();
  let signalled: number | undefined;
  for (let isFirst = true; ; isFirst = false) {
    const daemon = findDaemon(config.paths);
    if (daemon.kind === 'absent') {
      const state = isFirst ? undefined : readDaemonState(config.paths.centralDb);
      return { wasRunning: !isFirst, leftRunning: state?.leftRunning ?? [] };
    }
    const pid = findPidToSignal(daemon, performance.now() - beganAt);
    // A second signal would end it without its goodbyes.
    if (pid !== undefined && pid !== signalled && !isStopping(daemon)) {
      signalDaemon(pid, containers === 'keep' ? 'SIGUSR2' : 'SIGTERM');
    }
    signalled = pid ?? signalled;
    if (deadline.remainingMs() === 0) throw doesNotEnd(signalled);
    await delay(pollIntervalMs);
  }
}

/** Where its own word cannot be read for a while, central.db is damaged, or it hangs at its start. */
function findPidToSignal(daemon: DaemonPresence, waitedMs: number): number | undefined {
  if (daemon.kind === 'present') return daemon.state.pid;
  return daemon.kind === 'unknown' && waitedMs > unreadableMs ? daemon.pid : undefined;
}

function isStopping(daemon: DaemonPresence): boolean {
  return daemon.kind === 'present' && daemon.state.phase === 'stopping';
}

function doesNotEnd(pid: number | undefined): BerthError {
  const name = pid === undefined ? '' : ` (pid ${pid})`;
  return new BerthError('daemon_failed', `The daemon${name} does not end.`, {
    next: `See \`berth logs\`. ${pid === undefined ? 'Find' : `\`kill -9 ${pid}\` ends`} it at once; containers go on, and the next start takes them over.`,
  });
}
