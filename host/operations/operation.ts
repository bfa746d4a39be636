/**
 * Describes what a person can ask of Berth, whoever passes the question on. An operation parses what it is given, and
 * returns data that can be shown as JSON. Those on the database are one transaction each; those of the daemon are done
 * in order, and doing one twice does no harm: a crash may come before its outcome is noted.
 */
import type { z } from 'zod';
import { BerthError } from '../../shared/base/errors.js';
import { describeIssues } from '../../shared/protocol/plain-words.js';
import type { Clock } from '../../shared/base/clock.js';
import type { NewId } from '../../shared/base/ids.js';
import type { WaitingMessages } from '../../shared/protocol/mailbox/waiting-reader.js';
import type { TaskPlans } from '../sessions/tasks/task-plans.js';
import type { DeadLetterRef } from '../store/messages/dead-letters.js';
import type { Store } from '../store/store.js';

/** The things that operations on the database work with. */
export interface DatabaseScope {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  /** Takes a session's folder away, for good. False: it had none. */
  readonly discardFolder: (sessionId: string) => boolean;
  /** The messages that wait in a session, and the one that is asked for; undefined where it has no file yet. Never throws. */
  readonly readWaiting: (
    sessionId: string,
    request: { readonly limit: number; readonly asked: string | null },
  ) => WaitingMessages | { readonly problem: string } | undefined;
  readonly isDaemonRunning: () => boolean;
}

/** The things that operations of the daemon work with. */
export interface DaemonScope {
  readonly store: Store;
  readonly clock: Clock;
  readonly tasks: TaskPlans;
  readonly deadLetters: {
    readonly retry: (letters: readonly DeadLetterRef[]) => Promise<readonly unknown[]>;
  };
  readonly containers: {
    /** Ends the session's container; where messages wait, another is started. False: none ran. */
    readonly restart: (sessionId: string, reason: string) => boolean;
  };
}

interface Facts<Name extends string, Input extends z.ZodType> {
  /** `noun.verb`; scripts and requests that wait use it, so that it stays. */
  readonly name: Name;
  /** A sentence that says what it does. */
  readonly summary: string;
  readonly input: Input;
}

export interface DatabaseOperation<
  Name extends string = string,
  Input extends z.ZodType = z.ZodType,
  Result = unknown,
> extends Facts<Name, Input> {
  readonly place: 'database';
  /** An operation that only reads leaves no trace, not even in a home that was never used. */
  readonly effect: 'reads' | 'writes';
  /** Throws BerthError. */
  readonly run: (scope: DatabaseScope, input: z.output<Input>) => Result;
}

export interface DaemonOperation<
  Name extends string = string,
  Input extends z.ZodType = z.ZodType,
  Result = unknown,
> extends Facts<Name, Input> {
  readonly place: 'daemon';
  /** Throws BerthError. */
  readonly run: (scope: DaemonScope, input: z.output<Input>) => Promise<Result>;
}

/** Keeps the types of its parts. */
export function onDatabase<Name extends string, Input extends z.ZodType, Result>(
  operation: Omit<DatabaseOperation<Name, Input, Result>, 'place'>,
): DatabaseOperation<Name, Input, Result> {
  return { ...operation, place: 'database' };
}

/** Keeps the types of its parts. */
export function inDaemon<Name extends string, Input extends z.ZodType, Result>(
  operation: Omit<DaemonOperation<Name, Input, Result>, 'place'>,
): DaemonOperation<Name, Input, Result> {
  return { ...operation, place: 'daemon' };
}

/** Throws invalid_input with what does not fit. */
export function parseInput<Input extends z.ZodType>(
  { name, input }: { readonly name: string; readonly input: Input },
  given: unknown,
): z.output<Input> {
  const result = input.safeParse(given);
  if (result.success) return result.data;
  const why = describeIssues(result.error, 'it');
  throw new BerthError('invalid_input', `What was asked of ${name} cannot be used: ${why}.`, {
    cause: result.error,
  });
}
