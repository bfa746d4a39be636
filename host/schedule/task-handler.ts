/** Plans tasks and takes them back, for commands; only the daemon writes the sessions' files. */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import { sessionKeyFor } from '../sessions/session-key.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { NamedTask, NewTaskRequest, TaskRunRequest } from '../sessions/tasks/task-requests.js';
import { toTaskRow } from '../sessions/tasks/task-row.js';
import { runIdFor } from '../../shared/protocol/task-run-id.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { NewTask, Task } from '../store/tasks.js';
import { sessionModes, type SessionMode } from '../store/wirings.js';
import { assertRecurrence, assertTimeZone, nextRun } from '../sessions/tasks/recurrence.js';

export interface TaskHandlerDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  /** The install's. */
  readonly timeZone: string;
}

/** `series`: it ends, but a run of it has begun and goes on. */
export interface Cancellation {
  readonly task: Task;
  readonly cancelled: 'all' | 'series';
}

/** A task that is due so soon may be taken by the runner at this moment, in milliseconds. */
const tooSoonMs = 1_000;

export class TaskHandler {
  readonly #deps: TaskHandlerDeps;

  constructor(deps: TaskHandlerDeps) {
    this.#deps = deps;
  }

  /** As TaskPlans says. Throws what the mailbox throws, too. */
  async create(wanted: NewTaskRequest, within?: Session): Promise<Task> {
    const { store, sessions, clock, log, timeZone } = this.#deps;
    if (wanted.timeZone !== null) assertTimeZone(wanted.timeZone);
    if (wanted.recurrence !== null) {
      const chat = store.messagingGroups.find(wanted.messagingGroupId);
      assertRecurrence(wanted.recurrence, wanted.timeZone ?? chat?.timeZone ?? timeZone);
    }
    const scheduledMs = Date.parse(wanted.scheduledAt);
    const { id, text, recurrence } = wanted;
    const session =
      within ?? sessions.ensure(sessionKeyFor(this.#modeOf(wanted), { ...wanted, threadId: null }));
    const task: NewTask = {
      id,
      sessionId: session.id,
      messagingGroupId: wanted.messagingGroupId,
      messageId: runIdFor(id, scheduledMs),
      dueAt: isoAt(scheduledMs),
      recurrence,
      timeZone: wanted.timeZone,
      text,
      createdAt: isoAt(clock.now()),
    };
    await this.#write(session, task);
    log.info({ sessionId: session.id, task: id, recurring: recurrence !== null }, 'task planned');
    return this.#get(id);
  }

  /** Throws not_found, and invalid_input for one that runs once and has begun. */
  async cancel(
    { id }: NamedTask,
    alongside: (cancelled: Cancellation['cancelled']) => void = () => undefined,
  ): Promise<Cancellation> {
    const { store, log } = this.#deps;
    const task = this.#get(id);
    const cancelled = await this.#takeBack(task);
    store.transaction(() => {
      store.tasks.delete(id);
      alongside(cancelled);
    });
    log.info({ sessionId: task.sessionId, task: id }, 'task cancelled');
    return { task, cancelled };
  }

  /**
   * Takes its next run back until it is resumed; one that has begun goes on. Paused twice is paused once. Throws not_found,
   * and invalid_input for one that runs once and has begun.
   */
  async pause({ id }: NamedTask): Promise<Task> {
    const { store, clock, log } = this.#deps;
    const task = this.#get(id);
    if (task.pausedAt !== null) return task;
    // Noted first: a crash after it leaves a run that the next pause, or a cancellation, takes back.
    store.tasks.setPaused(id, isoAt(clock.now()));
    try {
      await this.#takeBack(task);
    } catch (error) {
      store.tasks.setPaused(id, null);
      throw error;
    }
    log.info({ sessionId: task.sessionId, task: id }, 'task paused');
    return this.#get(id);
  }

  /** Plans its next run from now on; what was missed meanwhile is not made up for. Throws not_found. */
  async resume({ id }: NamedTask): Promise<Task> {
    const { store, log } = this.#deps;
    const task = this.#get(id);
    if (task.pausedAt === null) return task;
    const session = this.#sessionOf(task);
    const dueMs = await this.#findFreeRun(session, id, this.#nextRunOf(task));
    const next = { messageId: runIdFor(id, dueMs), dueAt: isoAt(dueMs) };
    await this.#write(session, { ...task, ...next, sessionId: session.id });
    store.tasks.setPaused(id, null);
    log.info({ sessionId: session.id, task: id }, 'task resumed');
    return this.#get(id);
  }

  /** Runs it now, besides what is planned; a paused one too. `at`: who asks twice with one time runs it once. */
  async run({
    id,
    at,
  }: TaskRunRequest): Promise<{ readonly messageId: string; readonly sessionId: string }> {
    const { store, mailbox, sessions, log } = this.#deps;
    const task = this.#get(id);
    const session = this.#sessionOf(task);
    const messageId = runIdFor(`${id}-now`, Date.parse(at));
    const run = { ...task, messageId, dueAt: at, recurrence: null };
    const row = toTaskRow(store, session, run);
    await mailbox.post(session.id, { ...sessions.projectionOf(session), row });
    store.dueItems.advance(session.id, 'wake', at);
    log.info({ sessionId: session.id, task: id, messageId }, 'task run by hand');
    return { messageId, sessionId: session.id };
  }

  /** Its runs that have not begun are gone afterwards. */
  async #takeBack(task: Task): Promise<'all' | 'series'> {
    const { mailbox, clock } = this.#deps;
    const soon = isoAt(clock.now() + tooSoonMs);
    const mayHaveBegun = await this.#mayHaveBegun(task);
    const cancelled = await mailbox.inbound(task.sessionId, 'cancelTask', {
      taskId: task.id,
      begunBefore: mayHaveBegun ? soon : undefined,
      refusesBegun: task.recurrence === null,
    });
    if (cancelled === 'kept') throw hasBegunAlready(task.id);
    return cancelled;
  }

  #get(id: string): Task {
    const task = this.#deps.store.tasks.find(id);
    if (task !== undefined) return task;
    throw new BerthError('not_found', `There is no task ${JSON.stringify(id)}.`, {
      next: 'See `berth tasks list`.',
    });
  }

  /** In epoch milliseconds. A task that runs once and whose time has passed runs now. */
  #nextRunOf(task: Task): number {
    const { store, clock, timeZone } = this.#deps;
    const now = clock.now();
    if (task.recurrence === null) return Math.max(now, Date.parse(task.dueAt));
    const chat = store.messagingGroups.find(task.messagingGroupId ?? '');
    const next = nextRun(task.recurrence, task.timeZone ?? chat?.timeZone ?? timeZone, now, now);
    if (next !== undefined) return next;
    throw new BerthError('invalid_input', `The task ${task.id} has no more runs.`, {
      next: 'End it with `berth tasks cancel`.',
    });
  }

  /** The run at this time, or some milliseconds later: one that was taken back keeps its id in the file. */
  async #findFreeRun(session: Session, taskId: string, dueMs: number): Promise<number> {
    const { mailbox } = this.#deps;
    for (let ms = dueMs; ; ms += 1) {
      const status = await mailbox.inbound(session.id, 'findStatus', runIdFor(taskId, ms));
      if (status === undefined) return ms;
    }
  }

  /** Its own, or the one that has taken its place. */
  #sessionOf({ sessionId }: Task): Session {
    const { store, sessions } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined || session.status === 'closed') {
      throw new BerthError('not_found', 'The conversation of that task has ended.', {
        next: 'Plan another one with `berth tasks create`.',
      });
    }
    return session.status === 'active' ? session : sessions.ensure(session);
  }

  /** Nobody takes a task but a container: what became due while no daemon ran has not begun. */
  async #mayHaveBegun({ sessionId, messageId }: Task): Promise<boolean> {
    const { store, mailbox } = this.#deps;
    if (store.sessions.find(sessionId)?.containerStatus !== 'stopped') return true;
    try {
      const acks = await mailbox.outbound(sessionId, 'findAcks', [messageId]);
      return acks.size > 0;
    } catch {
      // Its files tell nothing now.
      return true;
    }
  }

  /**
   * Writes what is planned in a session where it is missing: into its files that were made anew, or into the session
   * that takes the place of a quarantined one.
   */
  async restore(sessionId: string): Promise<void> {
    const { store, sessions, log } = this.#deps;
    const old = store.sessions.find(sessionId);
    if (old === undefined || old.status === 'closed') return;
    for (const task of store.tasks.listForSession(sessionId)) {
      const session = old.status === 'active' ? old : sessions.ensure(old);
      const moved = { ...task, sessionId: session.id };
      if (task.pausedAt === null) await this.#write(session, moved);
      else store.tasks.set(moved);
      log.info({ sessionId: session.id, task: task.id }, 'task restored');
    }
  }

  /** Tasks that were planned in quarantined sessions go on in those that take their place. Never rejects. */
  async moveStranded(): Promise<void> {
    const { store, log } = this.#deps;
    try {
      for (const sessionId of store.tasks.listStranded()) await this.restore(sessionId);
    } catch (err) {
      log.error({ err }, 'planned tasks could not be moved');
    }
  }

  /** The row first: it is the truth, and the index follows. */
  async #write(session: Session, task: NewTask): Promise<void> {
    const { store, mailbox, sessions } = this.#deps;
    const row = toTaskRow(store, session, task);
    await mailbox.post(session.id, { ...sessions.projectionOf(session), row });
    store.transaction(() => {
      store.tasks.set(task);
      store.dueItems.advance(session.id, 'wake', task.dueAt);
    });
  }

  #modeOf({ messagingGroupId, agentGroupId }: NewTaskRequest): SessionMode {
    const wiring = this.#deps.store.wirings
      .listForMessagingGroup(messagingGroupId)
      .find((one) => one.agentGroupId === agentGroupId);
    const mode = sessionModes.find((known) => known === wiring?.sessionMode);
    if (mode !== undefined) return mode;
    throw new BerthError('not_found', 'That agent is not wired to that chat.', {
      next: 'Wire it with `berth wirings create`.',
    });
  }
}

function hasBegunAlready(id: string): BerthError {
  return new BerthError('invalid_input', `The task ${id} has begun already.`, {
    next: 'Wait until it has ended; `berth sessions close` ends the whole conversation.',
  });
}
