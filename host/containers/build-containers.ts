import { OpenWork, type OpenWorkDeps } from '../sessions/mailbox/open-work.js';
import { StepExecutor, type ApplyDeps } from './apply.js';
import { Fingerprints, type FingerprintsDeps } from './spec/fingerprints.js';
import { ObservedState } from './observed-state.js';
import { Outdated } from './outdated.js';
import { PostureWatch, type PostureWatchDeps } from './posture-watch.js';
import { Planner, type PlannerDeps } from './planner.js';
import { Reconciler, type ReconcilerDeps } from './reconciler.js';
import { StartFailures, type StartFailuresDeps } from './start-failures.js';
import { Liveness, type LivenessDeps } from './liveness.js';
import { PrewarmedPool, type PrewarmedPoolDeps } from './admission/prewarmed-pool.js';
import { WaitingNotices, type WaitingNoticesDeps } from './admission/waiting-notices.js';
import { StartQueue, type StartQueueDeps } from './admission/start-queue.js';

/** The parts that this folder makes for each other. */
type Inner =
  | 'observed'
  | 'liveness'
  | 'notices'
  | 'startFailures'
  | 'startQueue'
  | 'planner'
  | 'executor'
  | 'openWork'
  | 'fingerprints'
  | 'postureWatch'
  | 'outdated';

export type ContainersDeps = Omit<ApplyDeps, Inner> &
  Omit<ReconcilerDeps, Inner> &
  Omit<PlannerDeps, Inner> &
  Omit<StartFailuresDeps, Inner> &
  Omit<StartQueueDeps, Inner> &
  Omit<PrewarmedPoolDeps, Inner> &
  Pick<PostureWatchDeps, 'onVerified'> &
  WaitingNoticesDeps &
  OpenWorkDeps &
  FingerprintsDeps &
  LivenessDeps;

export interface Containers {
  readonly reconciler: Reconciler;
  readonly prewarmedPool: PrewarmedPool;
}

/** The room's parts, joined. */
export function buildContainers(deps: ContainersDeps): Containers {
  const observed = new ObservedState();
  const notices = new WaitingNotices(deps);
  const startFailures = new StartFailures({ ...deps, notices });
  const startQueue = new StartQueue({ ...deps, observed, notices });
  const liveness = new Liveness(deps);
  const openWork = new OpenWork(deps);
  const fingerprints = new Fingerprints(deps);
  const outdated = new Outdated({ ...deps, fingerprints });
  const planner = new Planner({ ...deps, observed, liveness, openWork, startQueue, outdated });
  const postureWatch = new PostureWatch({
    ...deps,
    onKept: () => {
      startFailures.noteStart();
    },
    onDiffers: async (sessionId, containerId, error) => {
      const reason = error.message.replace(/\.$/, '');
      // Where the engine does not end it now, passes go on trying; the next start waits in any case.
      planner.restart(sessionId, reason);
      const session = deps.store.sessions.find(sessionId);
      const noted = session && startFailures.note(session, error);
      await Promise.all([noted, executor.endAtOnce(sessionId, containerId, reason)]);
      deps.nudges.container(sessionId);
    },
  });
  const executor: StepExecutor = new StepExecutor({
    ...deps,
    observed,
    startFailures,
    openWork,
    startQueue,
    fingerprints,
    postureWatch,
  });
  const reconciler = new Reconciler({
    ...deps,
    observed,
    notices,
    planner,
    executor,
    postureWatch,
    startQueue,
    outdated,
  });
  return { reconciler, prewarmedPool: new PrewarmedPool(deps) };
}
