/**
 * Plans what follows a run of a task: the next row of its series, and what the index of tasks says. A series ends with
 * its session, when it is cancelled, or when no time is left; a failed run never ends it. The timestamp of a task's row
 * is when it is scheduled: retries move process_after, and leave the series where it is.
 */
import { isoAt, isTimeZone, type Clock } from '../../../shared/base/clock.js';
import { toBerthError } from '../../../shared/base/errors.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type {
  FollowingRow,
  InboundOutcome,
} from '../../../shared/protocol/mailbox/inbound-settlement.js';
import { runIdFor, taskIdOf } from '../../../shared/protocol/task-run-id.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { ClockJumps } from '../clock-jumps.js';

/** The run after a scheduled one and after now, in epoch milliseconds. Throws for an expression that is none. */
export type NextRun = (
  expression: string,
  timeZone: string,
  scheduledMs: number,
  nowMs: number,
) => number | undefined;

export interface TaskSeriesDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly clockJumps: Pick<ClockJumps, 'isReplanning'>;
  readonly log: Logger;
  readonly nextRun: NextRun;
  /** The install's: for tasks and chats that name none. */
  readonly timeZone: string;
}

const dayMs = 86_400_000;

export class TaskSeries {
  readonly #deps: TaskSeriesDeps;

  constructor(deps: TaskSeriesDeps) {
    this.#deps = deps;
  }

  /** The rows that come after those which are final now. The index is told first: told twice, it says the same. */
  follow(
    session: Session,
    open: readonly OpenInbound[],
    outcomes: readonly InboundOutcome[],
  ): readonly FollowingRow[] {
    const final = new Set(outcomes.filter(isFinal).map(({ id }) => id));
    const moved = new Set(outcomes.flatMap(({ id, status }) => (status === 'moved' ? [id] : [])));
    const now = this.#deps.clock.now();
    const ended = open.filter((row) => isTask(row) && final.has(row.id));
    return ended.flatMap((row) => {
      const scheduledMs = moved.has(row.id) ? now : Date.parse(row.timestamp);
      return this.#followOne(session, row, scheduledMs) ?? [];
    });
  }

  /**
   * The clock was set back just now, and the last run was more than a day from now: it was far ahead when this one was
   * planned. By less, it is better to wait than to run again what has run.
   */
  isMisplanned(session: Session, row: OpenInbound): boolean {
    const { clock, clockJumps, nextRun } = this.#deps;
    const now = clock.now();
    if (!clockJumps.isReplanning || row.recurrence === null) return false;
    if (!isPlanned(row, isoAt(now))) return false;
    try {
      const zone = this.#zoneOf(session, row);
      const sooner = nextRun(row.recurrence, zone, now + dayMs, now + dayMs);
      return sooner !== undefined && sooner < Date.parse(row.timestamp);
    } catch {
      return false;
    }
  }

  #followOne(session: Session, row: OpenInbound, scheduledMs: number): FollowingRow | undefined {
    const { store } = this.#deps;
    const taskId = taskIdOf(row);
    const task = store.tasks.find(taskId);
    // Its next run comes when it is resumed, also where a crash has left the series in the row.
    if (task !== undefined && task.pausedAt !== null) return undefined;
    const next =
      session.status === 'active' ? this.#findNext(session, row, scheduledMs) : undefined;
    if (next === undefined) {
      // A task that was paused and resumed while this run went on has another run by now.
      if (task?.messageId === row.id) store.tasks.delete(taskId);
      return undefined;
    }
    const following = { of: row.id, id: runIdFor(taskId, next), scheduledAt: isoAt(next) };
    store.tasks.advance(taskId, following.id, following.scheduledAt);
    return following;
  }

  #findNext(session: Session, row: OpenInbound, scheduled: number): number | undefined {
    const { clock, log, nextRun } = this.#deps;
    if (row.recurrence === null) return undefined;
    const now = clock.now();
    const fields = { sessionId: session.id, messageId: row.id };
    try {
      const zone = this.#zoneOf(session, row);
      const next = nextRun(row.recurrence, zone, Number.isNaN(scheduled) ? now : scheduled, now);
      if (next === undefined) log.info(fields, 'recurring task has no more runs');
      return next;
    } catch (error) {
      // Refused when it was made; somebody has edited it since.
      const { message } = toBerthError(error);
      log.error({ ...fields, reason: message }, 'recurring task ended: its schedule is none');
      return undefined;
    }
  }

  #zoneOf(session: Session, row: OpenInbound): string {
    const { store } = this.#deps;
    // A session may serve several chats: the task knows its own.
    const chatId = store.tasks.find(taskIdOf(row))?.messagingGroupId ?? session.messagingGroupId;
    const chat = store.messagingGroups.find(chatId ?? '');
    const named = row.timeZone ?? chat?.timeZone;
    return named != null && isTimeZone(named) ? named : this.#deps.timeZone;
  }
}

function isFinal({ status }: InboundOutcome): boolean {
  return status !== 'retry' && status !== 'reschedule';
}

function isTask({ kind, recurrence }: OpenInbound): boolean {
  return kind === 'task' || recurrence !== null;
}

/** Planned, and not begun: nobody waits for it yet. */
export function isPlanned({ tries, processAfter }: OpenInbound, nowIso: string): boolean {
  return tries === 0 && processAfter !== null && processAfter > nowIso;
}
