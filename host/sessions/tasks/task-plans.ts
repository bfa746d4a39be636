import type { Session } from '../../store/sessions.js';
import type { Task } from '../../store/tasks.js';
import type { NamedTask, NewTaskRequest, TaskRunRequest } from './task-requests.js';

/** The plans of agents: people change them, and agents themselves. Each method throws not_found or invalid_input. */
export interface TaskPlans {
  /** `session`: where it is run. Left out: where a message of the chat would go. */
  create(request: NewTaskRequest, session?: Session): Promise<Task>;
  /** `alongside`: what is written in one transaction with the end of the task. */
  cancel(
    task: NamedTask,
    alongside?: (cancelled: 'all' | 'series') => void,
  ): Promise<{ readonly task: Task; readonly cancelled: 'all' | 'series' }>;
  pause(task: NamedTask): Promise<Task>;
  resume(task: NamedTask): Promise<Task>;
  run(request: TaskRunRequest): Promise<{ readonly messageId: string; readonly sessionId: string }>;
}
