/** Plans tasks and takes them back, for commands; only the daemon writes the sessions' files. */
import { z } from 'zod';
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import { sessionKeyFor } from '../sessions/session-key.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import { toTaskRow } from '../sessions/tasks/task-row.js';
import { runIdFor } from '../../shared/protocol/task-run-id.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { Task } from '../store/tasks.js';
import { sessionModes, type SessionMode } from '../store/wirings.js';
import { assertRecurrence, assertTimeZone } from '../sessions/tasks/recurrence.js';

export interface TaskHandlerDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  /** The install's. */
  readonly timeZone: string;
}

/** A request `create-task`. The one who asks makes the id: asked twice, it is planned once. */
const newTaskSchema = z.object({
  id: z.string().min(1),
  messagingGroupId: z.string(),
  agentGroupId: z.string(),
  text: z.string().min(1),
  /** When it is to be run, or to be run first. A time that has passed meanwhile is now. */
  scheduledAt: z.iso.datetime(),
  recurrence: z.string().nullable(),
  timeZone: z.string().nullable(),
});

/** A request `cancel-task`. */
const cancellationSchema = z.object({ id: z.string() });

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

  /** Throws not_found or invalid_input, and what the mailbox throws. */
  async create(payload: unknown): Promise<Task> {
    const { store, sessions, clock, log, timeZone } = this.#deps;
    const wanted = newTaskSchema.parse(payload);
    if (wanted.timeZone !== null) assertTimeZone(wanted.timeZone);
    if (wanted.recurrence !== null) {
      const chat = store.messagingGroups.find(wanted.messagingGroupId);
      assertRecurrence(wanted.recurrence, wanted.timeZone ?? chat?.timeZone ?? timeZone);
    }
    const scheduledMs = Date.parse(wanted.scheduledAt);
    const { id, text, recurrence } = wanted;
    const session = sessions.ensure(
      sessionKeyFor(this.#modeOf(wanted), { ...wanted, threadId: null }),
    );
    const task: Task = {
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
    return task;
  }

  /** Throws not_found, and invalid_input for one that runs once and has begun. */
  async cancel(payload: unknown): Promise<Cancellation> {
    const { store, mailbox, clock, log } = this.#deps;
    const { id } = cancellationSchema.parse(payload);
    const task = store.tasks.find(id);
    if (task === undefined) {
      throw new BerthError('not_found', `There is no task ${JSON.stringify(id)}.`, {
        next: 'See `berth tasks list`.',
      });
    }
    const soon = isoAt(clock.now() + tooSoonMs);
    const mayHaveBegun = await this.#mayHaveBegun(task);
    const cancelled = await mailbox.inbound(task.sessionId, 'cancelTask', {
      taskId: id,
      begunBefore: mayHaveBegun ? soon : undefined,
      refusesBegun: task.recurrence === null,
    });
    if (cancelled === 'kept') throw hasBegunAlready(id);
    store.tasks.delete(id);
    log.info({ sessionId: task.sessionId, task: id }, 'task cancelled');
    return { task, cancelled };
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
      await this.#write(session, { ...task, sessionId: session.id });
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
  async #write(session: Session, task: Task): Promise<void> {
    const { store, mailbox, sessions } = this.#deps;
    const row = toTaskRow(store, session, task);
    await mailbox.post(session.id, { ...sessions.projectionOf(session), row });
    store.transaction(() => {
      store.tasks.set(task);
      store.dueItems.advance(session.id, 'wake', task.dueAt);
    });
  }

  #modeOf({ messagingGroupId, agentGroupId }: z.infer<typeof newTaskSchema>): SessionMode {
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
