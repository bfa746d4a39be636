import { TaskHandler } from '../../host/schedule/task-handler.js';
import { SessionRegistry } from '../../host/sessions/session-registry.js';
import type { NewTaskRequest } from '../../host/sessions/tasks/task-requests.js';
import type { Task } from '../../host/store/tasks.js';
import { SettlingSetup } from './settling-setup.js';

/**
 * Sets up one session with its runner, whose chat is wired to its agent, and the handler where tasks are planned in it.
 */
export class TaskSetup extends SettlingSetup {
  readonly wiring = this.addWiring(this.chat, this.agentGroup);
  /** How many due times were written. */
  planned = 0;
  readonly handler = new TaskHandler({
    store: this.store,
    mailbox: this.mailbox,
    sessions: new SessionRegistry(this),
    clock: this.clock,
    log: this.log,
    timeZone: 'Europe/Berlin',
  });

  constructor() {
    super();
    this.store.dueItems.watch(() => {
      this.planned += 1;
    });
  }

  /** The request of a command; `inMs` from now, once, unless said otherwise. */
  request(inMs: number, more: object = {}): NewTaskRequest {
    return {
      id: 't-1',
      messagingGroupId: this.chat.id,
      agentGroupId: this.agentGroup.id,
      text: 'water the plants',
      scheduledAt: this.clock.iso(inMs),
      recurrence: null,
      timeZone: null,
      ...more,
    };
  }

  plan(inMs: number, more: object = {}): Promise<Task> {
    return this.handler.create(this.request(inMs, more));
  }

  /** `2026-01-31T12:00 pending`, in the order of their writing. */
  runs(sessionId = this.session.id): readonly string[] {
    return this.inbound(sessionId, (db) =>
      db
        .prepare<[], string>(
          `SELECT substr(timestamp, 1, 16) || ' ' || status FROM messages_in WHERE kind = 'task' ORDER BY seq`,
        )
        .pluck()
        .all(),
    );
  }

  /** The id of the run that is next. */
  get nextRunId(): string {
    return this.store.tasks.find('t-1')?.messageId ?? '';
  }

  /** The next run comes due, and the runner has done it some time later. */
  async run(tookMs = 200): Promise<string> {
    const task = this.store.tasks.find('t-1');
    if (task === undefined) throw new Error('nothing is planned');
    const waitMs = Date.parse(task.dueAt) - this.clock.now();
    this.clock.advance(Math.max(0, waitMs) + tookMs);
    this.runner.complete(task.messageId);
    await this.pass();
    return task.messageId;
  }
}
