import { delay } from '../../../shared/base/lifecycle.js';
import type { DaemonState } from '../../store/daemon-state.js';
import { assertSettings, type CommandContext } from '../command/command-context.js';
import { findDaemon } from '../command/daemon-presence.js';
import { spawnDaemon, type SpawnedDaemon } from './daemon-spawn.js';

export interface ReadyDaemon {
  readonly state: DaemonState;
  readonly wasRunning: boolean;
}

const pollIntervalMs = 20;

/**
 * Starts a daemon unless one runs, and waits until it is ready; `onActivity` is told what takes long. Of several at
 * once one starts it, and all wait for that one. Throws daemon_failed with what it said.
 */
export async function ensureDaemon(
  context: CommandContext,
  onActivity: (line: string) => void,
): Promise<ReadyDaemon> {
  const { paths } = context.config;
  const tell = onlyChanges(onActivity);
  let child: SpawnedDaemon | undefined;
  for (;;) {
    const living = child?.hasEnded() === false ? child : undefined;
    const daemon = findDaemon(paths);
    const state = daemon.kind === 'present' ? wordOf(daemon.state, living) : undefined;
    if (state?.phase === 'ready') {
      child?.release();
      return { state, wasRunning: child === undefined };
    }
    tell(state);
    if (daemon.kind === 'absent' && living === undefined) {
      if (child !== undefined) throw child.failure();
      assertSettings(context);
      child = await spawnDaemon(context);
    }
    await delay(pollIntervalMs);
  }
}

/** While ours lives, another's word is the last daemon's: this one has not said anything yet. */
function wordOf(state: DaemonState, ours: SpawnedDaemon | undefined): DaemonState | undefined {
  return ours === undefined || ours.pid === state.pid ? state : undefined;
}

function onlyChanges(say: (line: string) => void): (state: DaemonState | undefined) => void {
  let last: string | null = null;
  return (state) => {
    const line = state?.activity ?? null;
    if (line !== null && line !== last) say(line);
    last = line;
  };
}
