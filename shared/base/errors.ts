/**
 * Every failure that Berth raises on purpose. The code is stable (scripts match on it with `--json`);
 * the message is one sentence for a person; `next` says what to do about it.
 */
export type ErrorCode =
  /** A flag, an environment variable or a .env line cannot be used. */
  | 'config_invalid'
  /** A command was given something that does not fit (unknown id, bad name, bad rules). */
  | 'invalid_input'
  /** The thing that was named does not exist. */
  | 'not_found'
  /** The name, folder or pair is taken. */
  | 'already_exists'
  /** The thing is still used by something else. */
  | 'in_use'
  /** Another daemon holds this BERTH_HOME. */
  | 'daemon_running'
  /** The command needs a daemon, and none runs. */
  | 'daemon_not_running'
  /** The daemon was started but did not become ready. */
  | 'daemon_failed'
  /** A SQLite file stayed locked longer than we wait. */
  | 'database_busy'
  /** A SQLite file is damaged or is no SQLite file. */
  | 'database_corrupt'
  /** A SQLite file is not there. */
  | 'database_missing'
  /** A SQLite file cannot be opened or read. */
  | 'database_unreadable'
  /** No space left where the data is kept. */
  | 'disk_full'
  /** A migration is missing, changed, reordered or newer than this program. */
  | 'migration_refused'
  /** No container engine answers. */
  | 'engine_unreachable'
  /** The engine answered with an error. */
  | 'engine_failed'
  /** The engine did not answer in time. */
  | 'engine_timeout'
  /** The agent image could not be built or found. */
  | 'image_failed'
  /** A container specification asks for what policy forbids. */
  | 'spec_refused'
  /** A container was not isolated or limited as it was asked for, and was ended. */
  | 'posture_differs'
  /** A container or a platform wrote something that does not parse. */
  | 'content_invalid'
  /** A file that a container named is not an ordinary file of its outbox. */
  | 'file_refused'
  /** The provider failed during a turn. */
  | 'provider_failed'
  /** The operating system is short of something for a moment: file descriptors, memory, processes. */
  | 'resources_short'
  /** An operating-system call failed. */
  | 'io_failed'
  /** A bug: something that cannot happen did. */
  | 'internal';

export interface BerthErrorOptions {
  /** Tells the reader what to do next, as a full sentence. */
  readonly next?: string;
  readonly cause?: unknown;
  /** Facts for the log and for `--json`; never message text or secrets. */
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
}

export class BerthError extends Error {
  readonly code: ErrorCode;
  readonly next: string | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;

  constructor(code: ErrorCode, message: string, options: BerthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BerthError';
    this.code = code;
    this.next = options.next;
    this.facts = options.facts ?? {};
  }
}

export function hasCode(error: unknown, ...codes: ErrorCode[]): error is BerthError {
  return error instanceof BerthError && codes.includes(error.code);
}

/** The errno name of an operating-system error (`ENOENT`, `ENOSPC`, …), if it is one. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const shortages: Readonly<Record<string, string>> = {
  EMFILE: 'This process is short of file descriptors.',
  ENFILE: 'The machine is short of file descriptors.',
  ENOMEM: 'The machine is short of memory.',
  EAGAIN: 'The machine is short of processes or threads.',
  EFBIG: 'A file is as long as this process may make it (`ulimit -f`).',
};

/** Undefined where the errno does not say that something has run short. Source: errno(3). */
export function shortageOf(errno: string | undefined, cause: unknown): BerthError | undefined {
  const message = errno === undefined ? undefined : shortages[errno];
  if (errno === undefined || message === undefined) return undefined;
  return new BerthError('resources_short', message, {
    next: 'Try again in a few seconds: nothing is lost. Where it lasts, end what uses so much, or raise the limit.',
    cause,
    facts: { errno },
  });
}

/** Anything thrown, as a BerthError: ours unchanged, an operating-system error by its errno, the rest as `internal`. */
export function toBerthError(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const errno = errnoOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'SQLITE_FULL') {
    return new BerthError('disk_full', 'The disk is full.', {
      next: 'Free some space where BERTH_HOME lies, then try again.',
      cause: error,
    });
  }
  const shortage = shortageOf(errno, error);
  if (shortage !== undefined) return shortage;
  if (errno !== undefined && /^E[A-Z0-9]+$/.test(errno)) {
    return new BerthError('io_failed', message, { cause: error, facts: { errno } });
  }
  return new BerthError('internal', message, { cause: error });
}
