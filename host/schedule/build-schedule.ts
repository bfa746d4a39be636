import { DueIndex, type DueIndexDeps } from './due-index.js';
import { SafetyScan, type SafetyScanDeps } from './safety-scan.js';
import { TaskCheck } from './task-check.js';
import { TaskDesk, type TaskDeskDeps } from './task-desk.js';

export type ScheduleDeps = DueIndexDeps &
  TaskDeskDeps &
  Omit<SafetyScanDeps, 'taskCheck' | 'onRound'>;

export interface Schedule {
  readonly dueIndex: DueIndex;
  readonly taskDesk: TaskDesk;
  readonly taskCheck: TaskCheck;
  readonly safetyScan: SafetyScan;
}

/** The room's parts, joined. */
export function buildSchedule(deps: ScheduleDeps): Schedule {
  const dueIndex = new DueIndex(deps);
  const taskDesk = new TaskDesk(deps);
  const taskCheck = new TaskCheck({ ...deps, restore: (id) => taskDesk.restore(id) });
  const safetyScan = new SafetyScan({
    ...deps,
    taskCheck,
    onRound: () => taskDesk.moveStranded(),
  });
  return { dueIndex, taskDesk, taskCheck, safetyScan };
}
