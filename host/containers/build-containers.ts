import { StepExecutor, type ApplyDeps } from './apply.js';
import { ObservedState } from './observed-state.js';
import { Reconciler, type ReconcilerDeps } from './reconciler.js';
import { StartFailures, type StartFailuresDeps } from './start-failures.js';

export type ContainersDeps = Omit<ApplyDeps, 'observed' | 'startFailures'> &
  Omit<ReconcilerDeps, 'observed' | 'executor' | 'startFailures'> &
  StartFailuresDeps;

/** The room's parts, joined. */
export function buildContainers(deps: ContainersDeps): Reconciler {
  const observed = new ObservedState();
  const startFailures = new StartFailures(deps);
  const executor = new StepExecutor({ ...deps, observed, startFailures });
  return new Reconciler({ ...deps, observed, executor, startFailures });
}
