import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

/** A task that an agent is to do at a time, once or again and again. */
export interface Task {
  readonly id: string;
  readonly sessionId: string;
  /** The chat that is told of it. */
  readonly messagingGroupId: string | null;
  /** Its messages_in row that is next. */
  readonly messageId: string;
  /** When that one is scheduled; ISO-8601. */
  readonly dueAt: string;
  /** A cron expression; null: once. */
  readonly recurrence: string | null;
  /** IANA name that recurrence is told in; null: the chat's, or the install's. */
  readonly timeZone: string | null;
  readonly text: string;
  readonly createdAt: string;
  /** ISO-8601; null while it is not paused. A paused task has no run in its session's file. */
  readonly pausedAt: string | null;
}

/** A task as it is written. */
export type NewTask = Omit<Task, 'pausedAt'>;

const columns = `id, session_id AS sessionId, messaging_group_id AS messagingGroupId, message_id AS messageId,
  due_at AS dueAt, recurrence, time_zone AS timeZone, text, created_at AS createdAt, paused_at AS pausedAt`;

export class TaskStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  /** The next one first. */
  list(): readonly Task[] {
    return this.#statements
      .prepare<[], Task>(`SELECT ${columns} FROM tasks ORDER BY due_at, id`)
      .all();
  }

  listForSession(sessionId: string): readonly Task[] {
    return this.#statements
      .prepare<[string], Task>(
        `SELECT ${columns} FROM tasks WHERE session_id = ? ORDER BY due_at, id`,
      )
      .all(sessionId);
  }

  /** Quarantined sessions with something planned in them. */
  listStranded(): readonly string[] {
    return this.#statements
      .pluck<[], string>(
        `SELECT DISTINCT session_id FROM tasks JOIN sessions ON sessions.id = session_id
         WHERE sessions.status = 'set-aside'`,
      )
      .all();
  }

  find(id: string): Task | undefined {
    return this.#statements
      .prepare<[string], Task>(`SELECT ${columns} FROM tasks WHERE id = ?`)
      .get(id);
  }

  /** Written anew where it is there already; whether it is paused stays as it is. */
  set(task: NewTask): void {
    this.#statements
      .prepare(
        `INSERT INTO tasks (id, session_id, messaging_group_id, message_id, due_at, recurrence, time_zone, text, created_at)
         VALUES (@id, @sessionId, @messagingGroupId, @messageId, @dueAt, @recurrence, @timeZone, @text, @createdAt)
         ON CONFLICT (id) DO UPDATE SET session_id = @sessionId, message_id = @messageId, due_at = @dueAt,
           recurrence = @recurrence, time_zone = @timeZone, text = @text`,
      )
      .run(task);
  }

  /** Its next run is another row. */
  advance(id: string, messageId: string, dueAt: string): void {
    this.#statements
      .prepare('UPDATE tasks SET message_id = ?, due_at = ? WHERE id = ?')
      .run(messageId, dueAt, id);
  }

  setPaused(id: string, pausedAt: string | null): void {
    this.#statements.prepare('UPDATE tasks SET paused_at = ? WHERE id = ?').run(pausedAt, id);
  }

  delete(id: string): void {
    this.#statements.prepare('DELETE FROM tasks WHERE id = ?').run(id);
  }

  /** Returns how many there were. */
  deleteForSession(sessionId: string): number {
    return this.#statements.prepare('DELETE FROM tasks WHERE session_id = ?').run(sessionId)
      .changes;
  }
}
