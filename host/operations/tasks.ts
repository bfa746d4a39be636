import { namedTaskSchema, newTaskSchema, taskRunSchema } from '../sessions/tasks/task-requests.js';
import { inDaemon } from './operation.js';

export const createTask = inDaemon({
  name: 'tasks.create',
  summary: 'Plans what an agent is to do at a time, once or again and again.',
  input: newTaskSchema,
  run: ({ tasks }, input) => tasks.create(input),
});

export const cancelTask = inDaemon({
  name: 'tasks.cancel',
  summary: 'Ends a series, or a task that has not begun.',
  input: namedTaskSchema,
  run: ({ tasks }, input) => tasks.cancel(input),
});

export const pauseTask = inDaemon({
  name: 'tasks.pause',
  summary: 'Keeps a task from running until it is resumed; a run that has begun goes on.',
  input: namedTaskSchema,
  run: ({ tasks }, input) => tasks.pause(input),
});

export const resumeTask = inDaemon({
  name: 'tasks.resume',
  summary: 'Lets a paused task run at its next time; what was missed is not made up for.',
  input: namedTaskSchema,
  run: ({ tasks }, input) => tasks.resume(input),
});

export const runTask = inDaemon({
  name: 'tasks.run',
  summary: 'Runs a task now, besides what is planned.',
  input: taskRunSchema,
  run: ({ tasks }, input) => tasks.run(input),
});
