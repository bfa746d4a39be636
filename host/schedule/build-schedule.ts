import type { Settlement } from '../sessions/settlement.js';
import { mendAfterSetBack } from './clock-set-back.js';
import { DueIndex, type DueIndexDeps } from './due-index.js';
import { SafetyScan, type SafetyScanDeps } from './safety-scan.js';
import { TaskCheck } from './task-check.js';
import { TaskDesk, type TaskDeskDeps } from './task-desk.js';

export type ScheduleDeps = Omit<DueIndexDeps, 'onClockSet'> &
  Omit<TaskDeskDeps, 'onPlanned'> &
  Omit<SafetyScanDeps, 'taskCheck' | 'onRound' | 'onMended'> & {
    /** The clock has gone ahead by more than a correction, and may be wrong. */
    readonly onClockAhead: () => void;
    readonly settlement: Pick<Settlement, 'noteSetBack'>;
  };

/** A clock that is only being corrected is behind its own word by less, in milliseconds. */
const clockSlackMs = 60_000;
/** A clock that was off for longer than this is a clock that was wrong, in milliseconds. */
const muchMs = 60 * 60 * 1_000;
/** Time in which no daemon ran may be as long as this; longer, it may also be the clock that is wrong. */
const longAwayMs = 7 * 24 * 60 * 60 * 1_000;

export interface Schedule {
  readonly dueIndex: DueIndex;
  readonly taskDesk: TaskDesk;
  readonly taskCheck: TaskCheck;
  readonly safetyScan: SafetyScan;
  /** What the clock says now against what it said when a daemon last wrote something (ISO-8601). */
  readonly noteLastTime: (lastTime: string) => void;
}

/** The room's parts, joined. */
export function buildSchedule(deps: ScheduleDeps): Schedule {
  const onClockSet = (byMs: number): void => {
    if (byMs < 0) {
      deps.settlement.noteSetBack();
      mendAfterSetBack(deps.store, deps.clock.now(), -byMs);
    }
    if (byMs > muchMs) deps.onClockAhead();
  };
  const dueIndex = new DueIndex({ ...deps, onClockSet });
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
  const noteLastTime = (lastTime: string): void => {
    const sinceMs = deps.clock.now() - Date.parse(lastTime);
    if (sinceMs < -clockSlackMs || sinceMs > longAwayMs) onClockSet(sinceMs);
  };
  return { dueIndex, taskDesk, taskCheck, safetyScan, noteLastTime };
}
