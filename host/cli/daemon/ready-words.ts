import type { DaemonState } from '../../store/daemon-state.js';

export interface ReadyFacts {
  readonly pid: number;
  readonly runtime: string | null;
  /** A remark for the user, if there is one. */
  readonly remark: string | null;
  /** More of that kind. */
  readonly remarks: readonly string[];
  readonly problems: readonly string[];
  readonly socket: string;
}

/** Writes one line, and one more for each remark and each problem. */
export function describeReady(facts: ReadyFacts): string {
  const { pid, runtime, remark, remarks, problems, socket } = facts;
  const ready = `Ready: pid ${pid}, runtime ${runtime ?? 'unknown'}, socket ${socket}`;
  const lines = [ready, ...(remark === null ? [] : [remark]), ...remarks];
  return [...lines, ...problems.map((problem) => `Problem: ${problem}`)].join('\n');
}

/** Lists what is wrong with a daemon that is ready: its runtime, and channels that do not run. */
export function listProblems({
  phase,
  problem,
  disk,
  shortage,
  channels,
}: DaemonState): readonly string[] {
  const down = Object.entries(channels)
    .filter(([, how]) => phase === 'ready' && how !== 'running' && how !== 'disabled')
    .map(([type, how]) => `the channel ${type} does not run (${how})`);
  return [problem, disk, shortage, ...down].filter((one) => one !== null);
}
