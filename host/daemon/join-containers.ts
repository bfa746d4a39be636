import { buildContainers, type Containers } from '../containers/build-containers.js';
import type { Delivery } from '../delivery/build-delivery.js';
import type { Nudges } from '../sessions/nudges.js';
import { agentUserFor } from '../sessions/session-folder.js';
import type { Core } from './core.js';
import { sessionLogPath } from './session-logs.js';

const resyncIntervalMs = 10_000;
const refillAfterMs = 1_000;
const stopGraceMs = 5_000;

export function joinContainers(
  core: Core,
  { delivery, nudges }: { readonly delivery: Delivery; readonly nudges: Nudges },
): Containers {
  const { deps, status } = core;
  const { config, installId } = deps;
  const { uid, gid } = agentUserFor(process.getuid?.(), process.getgid?.());
  const problems: { engine?: string | undefined; start?: string | undefined } = {};
  const sayProblem = (): void => {
    status.say({ problem: problems.engine ?? problems.start ?? null });
  };
  return buildContainers({
    ...deps,
    ...core,
    installId,
    groupsDir: config.paths.groupsDir,
    logPath: (sessionId) => sessionLogPath(config, sessionId),
    user: `${uid}:${gid}`,
    defaultProvider: config.provider,
    unisolatedProviders: config.unisolatedProviders,
    pollIntervalMs: config.pollIntervalMs,
    resyncIntervalMs,
    refillAfterMs,
    stopGraceMs,
    nudges,
    onRunning: (sessionId) => {
      delivery.watcher.add(sessionId);
      nudges.delivery(sessionId);
    },
    onEnded: async (sessionId, stoppedInTurn, why) => {
      delivery.watcher.remove(sessionId);
      await delivery.loop.finish(sessionId, stoppedInTurn, why);
    },
    onTrouble: (sessionId, error) => {
      core.recovery.report(sessionId, error);
    },
    onEngineState: (problem) => {
      problems.engine = problem?.message;
      sayProblem();
    },
    onStartTrouble: (problem) => {
      problems.start = problem && [problem.message, problem.next ?? ''].join(' ').trimEnd();
      sayProblem();
    },
    onVerified: (unverified) => {
      status.say({ unverified });
    },
    monotonicNow: () => performance.now(),
    maxContainers: config.maxContainers,
    memoryBudgetMb: config.memoryBudgetMb,
  });
}
