/** Agents plan what they are to do later, in the conversation that they ask from. */
import { z } from 'zod';
import { isoAt, isTimeZone } from '../../../shared/base/clock.js';
import { BerthError } from '../../../shared/base/errors.js';
import { cutText } from '../../../shared/base/cut-text.js';
import { toWellFormed } from '../../../shared/base/well-formed.js';
import { idFrom } from '../../../shared/base/ids.js';
import {
  assertRecurrence,
  assertTimeZone,
  nextRun,
  parseLocalTime,
} from '../../sessions/tasks/recurrence.js';
import type { Task } from '../../store/tasks.js';
import { action, type ActionScope } from './action.js';

/** Of a conversation, as far as its agent plans them. */
const mostTasks = 100;
/** Of a text that is listed, in characters. */
const listedText = 200;

const scheduleSchema = z.strictObject({
  text: z.string().trim().min(1).max(20_000),
  /** Once: `2026-01-31 09:00` in the time zone, or ISO-8601. */
  at: z.string().optional(),
  /** Again and again: five cron fields. */
  every: z.string().optional(),
  /** IANA name; left out: the chat's, or the install's. */
  timeZone: z.string().optional(),
});

export const scheduleTask = action({
  name: 'schedule_task',
  summary: 'Plans what the agent is to do at a time, once or again and again.',
  parameters: scheduleSchema,
  isQuestion: false,
  run: async (scope, parameters, { session, rowId, note }) => {
    const chat = scope.store.messagingGroups.find(session.messagingGroupId ?? '');
    if (chat === undefined) {
      throw new BerthError('invalid_input', 'This conversation has no chat to answer into.');
    }
    const id = idFrom('t', session.id, rowId);
    const { tasks } = scope.store;
    const isKnown = tasks.find(id) !== undefined;
    if (!isKnown && tasks.listForSession(session.id).length >= mostTasks) {
      throw new BerthError('invalid_input', `${mostTasks} tasks are planned here already.`, {
        next: 'Cancel one that is not needed any more.',
      });
    }
    const timeZone = parameters.timeZone ?? zoneOf(scope, chat.timeZone);
    const wanted = {
      id,
      messagingGroupId: chat.id,
      agentGroupId: session.agentGroupId,
      text: parameters.text,
      scheduledAt: isoAt(firstRun(parameters, timeZone, scope.clock.now())),
      recurrence: parameters.every ?? null,
      timeZone,
    };
    const task = await scope.tasks.create(wanted, session);
    const outcome = {
      isDone: true,
      text: `Planned the task ${task.id}: next at ${task.dueAt}.`,
      result: viewOf(task),
    };
    note(outcome);
    return outcome;
  },
});

export const cancelTask = action({
  name: 'cancel_task',
  summary: 'Ends a task of this conversation.',
  parameters: z.strictObject({ id: z.string() }),
  isQuestion: false,
  run: async ({ store, tasks }, { id }, { session, note }) => {
    const task = store.tasks.find(id);
    if (task?.sessionId !== session.id) {
      const known = store.tasks.listForSession(session.id).map((one) => one.id);
      throw new BerthError('not_found', `This conversation has no task ${JSON.stringify(id)}.`, {
        next: `Its tasks are: ${known.join(', ') || 'none'}.`,
      });
    }
    const outcome = { isDone: true, text: `Cancelled the task ${id}.` };
    await tasks.cancel({ id }, () => {
      note(outcome);
    });
    return outcome;
  },
});

export const listTasks = action({
  name: 'list_tasks',
  summary: 'Lists the tasks of this conversation, the next one first.',
  parameters: z.strictObject({}),
  isQuestion: true,
  run: ({ store }, _, { session, note }) => {
    const tasks = store.tasks
      .listForSession(session.id)
      .slice(0, mostTasks)
      .map((task) => viewOf(task));
    const lines = tasks.map(({ id, nextAt, every, text }) => {
      const when = every === null ? nextAt : `${nextAt}, then ${every}`;
      return `${id} (${when}): ${text}`;
    });
    const outcome = {
      isDone: true,
      text: lines.length === 0 ? 'Nothing is planned.' : lines.join('\n'),
      result: { tasks },
    };
    note(outcome);
    return Promise.resolve(outcome);
  },
});

function viewOf({ id, dueAt, recurrence, timeZone, text: whole, pausedAt }: Task) {
  // A character as people see it may be long.
  const text = cutText(toWellFormed(whole.slice(0, 2 * listedText)), listedText);
  return { id, nextAt: dueAt, every: recurrence, timeZone, text, isPaused: pausedAt !== null };
}

function zoneOf({ timeZone }: ActionScope, named: string | null): string {
  return named !== null && isTimeZone(named) ? named : timeZone;
}

/** In epoch milliseconds. Throws invalid_input. */
function firstRun(
  { at, every }: z.output<typeof scheduleSchema>,
  timeZone: string,
  nowMs: number,
): number {
  assertTimeZone(timeZone);
  if ((at === undefined) === (every === undefined)) {
    throw new BerthError('invalid_input', 'A task has either `at` or `every`.');
  }
  if (every !== undefined) {
    assertRecurrence(every, timeZone);
    return nextRun(every, timeZone, nowMs, nowMs) ?? nowMs;
  }
  const atMs = parseTime(at ?? '', timeZone);
  if (atMs > nowMs) return atMs;
  throw new BerthError('invalid_input', `${at ?? ''} has passed; now it is ${isoAt(nowMs)}.`);
}

function parseTime(text: string, timeZone: string): number {
  const hasZone = /(?:Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(hasZone) ? parseLocalTime(text, timeZone) : hasZone;
}
