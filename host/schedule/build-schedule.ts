import { DueIndex, type DueIndexDeps } from './due-index.js';
import { QuestionExpiry, type QuestionExpiryDeps } from './question-expiry.js';
import { SafetyScan, type SafetyScanDeps } from './safety-scan.js';
import { TaskCheck } from './task-check.js';
import { TaskHandler, type TaskHandlerDeps } from './task-handler.js';

export type ScheduleDeps = DueIndexDeps &
  TaskHandlerDeps &
  QuestionExpiryDeps &
  Omit<SafetyScanDeps, 'taskCheck' | 'onRound'>;

export interface Schedule {
  readonly dueIndex: DueIndex;
  readonly taskHandler: TaskHandler;
  readonly taskCheck: TaskCheck;
  readonly questions: QuestionExpiry;
  readonly safetyScan: SafetyScan;
}

/** The room's parts, joined. */
export function buildSchedule(deps: ScheduleDeps): Schedule {
  const dueIndex = new DueIndex(deps);
  const taskHandler = new TaskHandler(deps);
  const taskCheck = new TaskCheck({ ...deps, restore: (id) => taskHandler.restore(id) });
  const safetyScan = new SafetyScan({
    ...deps,
    taskCheck,
    onRound: () => taskHandler.moveStranded(),
  });
  const questions = new QuestionExpiry(deps);
  return { dueIndex, taskHandler, questions, taskCheck, safetyScan };
}
