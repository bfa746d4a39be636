/** The requests that are made about tasks. */
import { z } from 'zod';

/** The one who asks makes the id: asked twice, it is planned once. */
export const newTaskSchema = z.object({
  id: z.string().min(1),
  messagingGroupId: z.string(),
  agentGroupId: z.string(),
  text: z.string().min(1),
  /** When it is to be run, or to be run first. A time that has passed meanwhile is now. */
  scheduledAt: z.iso.datetime(),
  recurrence: z.string().nullable(),
  timeZone: z.string().nullable(),
});

/** `id`: the whole id of a task. */
export const namedTaskSchema = z.object({ id: z.string() });

/** `at`: when it was asked for. Asked twice with one time, it is run once. */
export const taskRunSchema = namedTaskSchema.extend({ at: z.iso.datetime() });

export type NewTaskRequest = z.infer<typeof newTaskSchema>;
export type NamedTask = z.infer<typeof namedTaskSchema>;
export type TaskRunRequest = z.infer<typeof taskRunSchema>;
