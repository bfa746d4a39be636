/** Every action that an agent may ask for: one that is not here is answered with the list of these. */
import type { Action } from './action.js';
import { sendToAgent } from './agent-actions.js';
import { askUserQuestion } from './question-actions.js';
import { cancelTask, listTasks, scheduleTask } from './task-actions.js';

export const actions = [scheduleTask, cancelTask, listTasks, sendToAgent, askUserQuestion] as const;

export type ActionName = (typeof actions)[number]['name'];

/** How an agent writes one, for the error that names a wrong one. A new action says it here, or does not compile. */
export const exampleOf: Readonly<Record<ActionName, string>> = {
  schedule_task: '{"text":"water the plants","at":"2030-01-31 09:00"}',
  cancel_task: '{"id":"t-…"}',
  list_tasks: '{}',
  ask_user_question: '{"question":"Which colour?","options":["red","blue"]}',
  send_to_agent: '{"to":"helper","text":"What is the weather?"}',
};

export function findAction(name: string): Action | undefined {
  return actions.find((one) => one.name === name);
}
