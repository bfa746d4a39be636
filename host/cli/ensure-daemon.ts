import { delay } from '../../shared/base/lifecycle.js';
import type { DaemonState } from '../store/daemon-state.js';
import type { CommandContext } from './command-context.js';
import { findDaemon } from './daemon-presence.js';
import { spawnDaemon, type SpawnedDaemon } from './daemon-spawn.js';

export interface ReadyDaemon {
  readonly state: DaemonState;
  readonly wasRunning: boolean;
}

const pollIntervalMs = 20;

/**
 * Starts a daemon unless one runs, and waits until it is ready; `onActivity` hears what takes long. Of several at
 * once one starts it, and all wait for that one. Throws daemon_failed with what it said.
 */
export async function ensureDaemon(
  context: CommandContext,
  onActivity: (line: string) => void,
): Promise<ReadyDaemon> {
  const { paths } = context.config;
  let child: SpawnedDaemon | undefined;
  let lastActivity: string | null = null;
  for (;;) {
    const hadEnded = child?.hasEnded() ?? true;
    const daemon = findDaemon(paths);
    if (daemon.kind === 'present') {
      const { state } = daemon;
      if (state.phase === 'ready') {
        child?.release();
        return { state, wasRunning: child === undefined };
      }
      if (state.activity !== null && state.activity !== lastActivity) onActivity(state.activity);
      lastActivity = state.activity;
    }
    if (daemon.kind === 'absent' && hadEnded) {
      if (child !== undefined) throw child.failure();
      child = await spawnDaemon(context);
    }
    await delay(pollIntervalMs);
  }
}
