import { OpenWork, type OpenWorkDeps } from '../sessions/mailbox/open-work.js';
import { StepExecutor, type ApplyDeps } from './apply.js';
import { Fingerprints, type FingerprintsDeps } from './spec/fingerprints.js';
import { ObservedState } from './observed-state.js';
import { Outdated } from './outdated.js';
import { Planner, type PlannerDeps } from './planner.js';
import { Reconciler, type ReconcilerDeps } from './reconciler.js';
import { StartFailures, type StartFailuresDeps } from './start-failures.js';
import { Vitals, type VitalsDeps } from './vitals.js';
import { WarmPool, type WarmPoolDeps } from './admission/warm-pool.js';
import { WaitingNotices, type WaitingNoticesDeps } from './admission/waiting-notices.js';
import { WaitingRoom, type WaitingRoomDeps } from './admission/waiting-room.js';

/** What the room's parts are to each other. */
type Inner =
  | 'observed'
  | 'vitals'
  | 'notices'
  | 'startFailures'
  | 'waitingRoom'
  | 'planner'
  | 'executor'
  | 'openWork'
  | 'fingerprints'
  | 'outdated';

export type ContainersDeps = Omit<ApplyDeps, Inner> &
  Omit<ReconcilerDeps, Inner> &
  Omit<PlannerDeps, Inner> &
  Omit<StartFailuresDeps, Inner> &
  Omit<WaitingRoomDeps, Inner> &
  Omit<WarmPoolDeps, Inner> &
  WaitingNoticesDeps &
  OpenWorkDeps &
  FingerprintsDeps &
  VitalsDeps;

export interface Containers {
  readonly reconciler: Reconciler;
  readonly warmPool: WarmPool;
}

/** The room's parts, joined. */
export function buildContainers(deps: ContainersDeps): Containers {
  const observed = new ObservedState();
  const notices = new WaitingNotices(deps);
  const startFailures = new StartFailures({ ...deps, notices });
  const waitingRoom = new WaitingRoom({ ...deps, observed, notices });
  const vitals = new Vitals(deps);
  const openWork = new OpenWork(deps);
  const fingerprints = new Fingerprints(deps);
  const outdated = new Outdated({ ...deps, fingerprints });
  const planner = new Planner({ ...deps, observed, vitals, openWork, waitingRoom, outdated });
  const executor = new StepExecutor({
    ...deps,
    observed,
    startFailures,
    openWork,
    waitingRoom,
    fingerprints,
  });
  const reconciler = new Reconciler({
    ...deps,
    observed,
    notices,
    planner,
    executor,
    waitingRoom,
    outdated,
  });
  return { reconciler, warmPool: new WarmPool(deps) };
}
