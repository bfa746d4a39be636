import { mendAfterSetBack } from './clock-set-back.js';
import { DueIndex, type DueIndexDeps } from './due-index.js';
import { SafetyScan, type SafetyScanDeps } from './safety-scan.js';
import { TaskCheck } from './task-check.js';
import { TaskDesk, type TaskDeskDeps } from './task-desk.js';

export type ScheduleDeps = Omit<DueIndexDeps, 'onClockSet'> &
  Omit<TaskDeskDeps, 'onPlanned'> &
  Omit<SafetyScanDeps, 'taskCheck' | 'onRound' | 'onMended'>;

export interface Schedule {
  readonly dueIndex: DueIndex;
  readonly taskDesk: TaskDesk;
  readonly safetyScan: SafetyScan;
}

/** The room's parts, joined. */
export function buildSchedule(deps: ScheduleDeps): Schedule {
  const dueIndex = new DueIndex({
    ...deps,
    onClockSet: (byMs) => {
      if (byMs < 0) mendAfterSetBack(deps.store, deps.clock.now(), -byMs);
    },
  });
  const refresh = (): void => {
    dueIndex.refresh();
  };
  const taskDesk = new TaskDesk({ ...deps, onPlanned: refresh });
  const taskCheck = new TaskCheck({ ...deps, restore: (id) => taskDesk.restore(id) });
  const safetyScan = new SafetyScan({
    ...deps,
    taskCheck,
    onRound: () => taskDesk.moveStranded(),
    onMended: refresh,
  });
  return { dueIndex, taskDesk, safetyScan };
}
