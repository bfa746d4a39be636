/** Every operation that there is: one that is not here cannot be asked for. */
import type { z } from 'zod';
import {
  addChannel,
  disableChannel,
  enableChannel,
  listChannels,
  removeChannel,
  setChannel,
} from './channels.js';
import { retryDeadLetter } from './dead-letters.js';
import { addDestination, listDestinations, removeDestination } from './destinations.js';
import type { DaemonOperation } from './operation.js';
import { explain } from './explain.js';
import {
  closeSession,
  deleteSession,
  listEvents,
  reopenSession,
  restartSession,
} from './sessions.js';
import { cancelTask, createTask, pauseTask, resumeTask, runTask } from './tasks.js';
import { deleteWiring, testWirings } from './wirings.js';

export const operations = [
  closeSession,
  deleteSession,
  restartSession,
  reopenSession,
  listEvents,
  explain,
  createTask,
  cancelTask,
  pauseTask,
  resumeTask,
  runTask,
  retryDeadLetter,
  testWirings,
  deleteWiring,
  listDestinations,
  addDestination,
  removeDestination,
  listChannels,
  addChannel,
  setChannel,
  enableChannel,
  disableChannel,
  removeChannel,
] as const;

export type Operation = (typeof operations)[number];
export type OperationName = Operation['name'];
export type OperationNamed<Name extends OperationName> = Extract<Operation, { name: Name }>;
export type InputOf<Name extends OperationName> = z.input<OperationNamed<Name>['input']>;
export type ResultOf<Name extends OperationName> = Awaited<ReturnType<OperationNamed<Name>['run']>>;

/** Says who may ask: `operator` is whoever may write to the home. Each operation says it here, or does not compile. */
export const accessOf: Readonly<Record<OperationName, 'operator'>> = {
  'sessions.close': 'operator',
  'sessions.delete': 'operator',
  'sessions.restart': 'operator',
  'sessions.reopen': 'operator',
  'sessions.events': 'operator',
  'berth.explain': 'operator',
  'tasks.create': 'operator',
  'tasks.cancel': 'operator',
  'tasks.pause': 'operator',
  'tasks.resume': 'operator',
  'tasks.run': 'operator',
  'dead-letters.retry': 'operator',
  'wirings.test': 'operator',
  'wirings.delete': 'operator',
  'destinations.list': 'operator',
  'destinations.add': 'operator',
  'destinations.remove': 'operator',
  'channels.list': 'operator',
  'channels.add': 'operator',
  'channels.set': 'operator',
  'channels.enable': 'operator',
  'channels.disable': 'operator',
  'channels.remove': 'operator',
};

export function findOperation<Name extends OperationName>(name: Name): OperationNamed<Name>;
export function findOperation(name: string): Operation | undefined;
export function findOperation(name: string): Operation | undefined {
  return operations.find((one) => one.name === name);
}

/** Maps the names that requests had before operations had names; such a request may still wait. */
const earlierNames: Readonly<Record<string, OperationName>> = {
  'create-task': 'tasks.create',
  'cancel-task': 'tasks.cancel',
  'retry-dead-letter': 'dead-letters.retry',
};

/** Undefined where the daemon does no such thing. */
export function findDaemonOperation(name: string): DaemonOperation | undefined {
  const operation = findOperation(earlierNames[name] ?? name);
  return operation?.place === 'daemon' ? operation : undefined;
}
