/** Has an operation done: on the database at once, by the daemon through a request. */
import { join } from 'node:path';
import type { z } from 'zod';
import { toBerthError } from '../../../shared/base/errors.js';
import { readWaitingMessages } from '../../../shared/protocol/mailbox/waiting-reader.js';
import { moveToTrash } from '../../sessions/retention/trash.js';
import {
  findOperation,
  type InputOf,
  type OperationName,
  type OperationNamed,
  type ResultOf,
} from '../../operations/builtin-operations.js';
import {
  parseInput,
  type DatabaseOperation,
  type DatabaseScope,
} from '../../operations/operation.js';
import type { Store } from '../../store/store.js';
import { findDaemon } from './daemon-presence.js';
import { askDaemon } from './ask-daemon.js';
import type { CommandContext } from './command-context.js';
import { readStore, writeStore } from './store-access.js';

type NameIn<Place> = {
  [Name in OperationName]: OperationNamed<Name> extends { place: Place } ? Name : never;
}[OperationName];

/** Throws what the operation throws. */
export function performNow<Name extends NameIn<'database'>>(
  context: CommandContext,
  name: Name,
  given: InputOf<Name>,
): ResultOf<Name> {
  // The table says which input and which result belong to a name; the compiler does not follow that through a union.
  const operation = findOperation(name) as unknown as DatabaseOperation<
    Name,
    z.ZodType,
    ResultOf<Name>
  >;
  const run = (store: Store): ResultOf<Name> =>
    operation.run(scopeOf(context, store), parseInput(operation, given));
  return operation.effect === 'reads' ? readStore(context, run) : writeStore(context, run);
}

/** `later`: no daemon runs now; the next one does it. */
export type Performed<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'later'; readonly requestId: string };

/** Asks the daemon, and waits for it where it runs. Throws what the operation throws. */
export async function performSoon<Name extends NameIn<'daemon'>>(
  context: CommandContext,
  name: Name,
  given: InputOf<Name>,
): Promise<Performed<ResultOf<Name>>> {
  const operation: { readonly name: string; readonly input: z.ZodType } = findOperation(name);
  parseInput(operation, given);
  const answer = await askDaemon(context, { kind: name, payload: given });
  return answer.kind === 'later'
    ? answer
    : { kind: 'done', result: answer.outcome as ResultOf<Name> };
}

/** The note that a person reads where the daemon will do it. */
export function laterNote(performed: Performed<unknown>): string {
  return performed.kind === 'later' ? ' No daemon runs now: the next one will do it.' : '';
}

/** The things that an operation on the database works with. */
export function scopeOf({ clock, newId, config }: CommandContext, store: Store): DatabaseScope {
  const { sessionsDir } = config.paths;
  return {
    store,
    clock,
    newId,
    discardFolder: (sessionId) =>
      moveToTrash(join(sessionsDir, '.trash'), join(sessionsDir, sessionId)),
    readWaiting: (sessionId, request) => {
      try {
        return readWaitingMessages(join(sessionsDir, sessionId, 'in'), request);
      } catch (error) {
        return { problem: toBerthError(error).message };
      }
    },
    isDaemonRunning: () => findDaemon(config.paths).kind !== 'absent',
  };
}
