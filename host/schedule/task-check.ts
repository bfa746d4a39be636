import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { OpenInbound } from '../../shared/protocol/mailbox/inbound-rows.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import { taskIdOf } from '../../shared/protocol/task-run-id.js';
import { isPlanned } from '../sessions/tasks/task-series.js';
import type { Store } from '../store/store.js';
import type { NewTask, Task } from '../store/tasks.js';

export interface TaskCheckDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly clock: Clock;
  /** Writes tasks into a session's files where they are missing. */
  readonly restore: (sessionId: string) => Promise<void>;
}

/** Brings the index of tasks in line with the messages_in rows of a session, which are the truth. */
export class TaskCheck {
  readonly #deps: TaskCheckDeps;

  constructor(deps: TaskCheckDeps) {
    this.#deps = deps;
  }

  /** Returns what was wrong, in words. A row that is gone altogether is written again. */
  async repair(sessionId: string): Promise<readonly string[]> {
    const { store, clock, restore } = this.#deps;
    const now = isoAt(clock.now());
    const findings: string[] = [];
    const known = store.tasks
      .listForSession(sessionId)
      // Of a paused one nothing stands in the file.
      .filter(({ pausedAt }) => pausedAt === null);
    const found = await this.#readRuns(sessionId, known);
    // In one piece: what is planned or ends in between belongs to neither.
    const { runs, texts, lost } = found;
    for (const [id, row] of runs) {
      const task = store.tasks.find(id);
      if (task?.pausedAt != null) continue;
      if (task === undefined ? !isNamed(row, now) : isSame(task, row)) continue;
      findings.push('a planned task');
      store.tasks.set(this.#read(sessionId, id, row, task, texts.get(row.id) ?? ''));
    }
    for (const task of known) {
      if (runs.has(task.id) || lost.has(task.messageId)) continue;
      findings.push('a task that has ended');
      store.tasks.delete(task.id);
    }
    if (lost.size > 0) {
      findings.push('a task that is not in the file any more');
      await restore(sessionId);
    }
    return findings;
  }

  /** Runs that are open by task, with their texts; `lost`: runs that the index names, and the file does not hold. */
  async #readRuns(
    sessionId: string,
    known: readonly Task[],
  ): Promise<{
    readonly runs: ReadonlyMap<string, OpenInbound>;
    readonly texts: ReadonlyMap<string, string>;
    readonly lost: ReadonlySet<string>;
  }> {
    const { mailbox } = this.#deps;
    const open = (await mailbox.inbound(sessionId, 'listOpen')).filter(isTask);
    const runs = new Map(open.map((row) => [taskIdOf(row), row]));
    const ids = open.map(({ id }) => id);
    const texts = await mailbox.inbound(sessionId, 'findTexts', ids);
    const lost = new Set<string>();
    for (const { id, messageId } of known) {
      if (runs.has(id)) continue;
      const status = await mailbox.inbound(sessionId, 'findStatus', messageId);
      if (status === undefined) lost.add(messageId);
    }
    return { runs, texts, lost };
  }

  #read(
    sessionId: string,
    id: string,
    row: OpenInbound,
    known: Task | undefined,
    text: string,
  ): NewTask {
    const session = this.#deps.store.sessions.find(sessionId);
    return {
      id,
      sessionId,
      messagingGroupId: known?.messagingGroupId ?? session?.messagingGroupId ?? null,
      messageId: row.id,
      dueAt: row.timestamp,
      recurrence: row.recurrence,
      timeZone: row.timeZone,
      text,
      createdAt: known?.createdAt ?? row.timestamp,
    };
  }
}

function isTask({ kind, status }: OpenInbound): boolean {
  return kind === 'task' && status === 'pending';
}

function isSame(task: Task, row: OpenInbound): boolean {
  return task.messageId === row.id && task.recurrence === row.recurrence;
}

/** A run that has begun and is followed by none needs no name: its series may have been cancelled. */
function isNamed(row: OpenInbound, now: string): boolean {
  return row.recurrence !== null || isPlanned(row, now);
}
