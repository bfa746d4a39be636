import { BerthError, errnoOf, hasCode } from '../../../../shared/base/errors.js';

const forbidden = new Set(['EACCES', 'EPERM']);
const unreachable = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'ENOTFOUND',
  'ENOTSOCK',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPIPE',
]);

/** Translates what a call to the engine at `address` threw while it was to do `what` ("start the container"). */
export function fromEngine(error: unknown, what: string, address: string): BerthError {
  if (error instanceof BerthError) return error;
  const errno = errnoOf(error) ?? '';
  if (forbidden.has(errno)) {
    return new BerthError(
      'engine_unreachable',
      `The container engine at ${address} lets us not in.`,
      {
        next: 'Add this user to the group docker (sudo usermod -aG docker $USER) and log in again, or set DOCKER_HOST.',
        cause: error,
        facts: { errno },
      },
    );
  }
  if (unreachable.has(errno)) {
    return new BerthError('engine_unreachable', `No container engine answers at ${address}.`, {
      next: 'Start Docker or Podman, or say with DOCKER_HOST where it listens.',
      cause: error,
      facts: { errno },
    });
  }
  const status = statusOf(error);
  return new BerthError(
    'engine_failed',
    `The container engine could not ${what}: ${messageOf(error)}`,
    {
      cause: error,
      ...(status === undefined ? {} : { facts: { status } }),
    },
  );
}

export function engineTimeout(what: string, address: string, timeoutMs: number): BerthError {
  return new BerthError(
    'engine_timeout',
    `The container engine at ${address} did not ${what} within ${timeoutMs} ms.`,
    { next: 'See whether the engine hangs (docker ps), and start it again if so.' },
  );
}

/** True when the engine answered with one of these HTTP statuses. */
export function hasStatus(error: unknown, ...statuses: number[]): error is BerthError {
  if (!hasCode(error, 'engine_failed')) return false;
  const status = error.facts['status'];
  return typeof status === 'number' && statuses.includes(status);
}

/** Podman says some things with status 500 and a cause that Docker says with a status of their own. */
const statusOfCause: Readonly<Record<string, number>> = {
  'no such container': 404,
  'no such image': 404,
  'image not known': 404,
  'that name is already in use': 409,
};

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  if (typeof error.statusCode !== 'number') return undefined;
  return statusOfCause[textIn(error, 'cause') ?? ''] ?? error.statusCode;
}

/** The engine's own words: `{"message": …}` in the body, else whatever was thrown. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (textIn(error, 'message') ?? error.message).trim();
}

/** A field of the JSON that the engine answered with. */
function textIn(error: Error, field: string): string | undefined {
  const body: unknown = 'json' in error ? error.json : undefined;
  if (typeof body !== 'object' || body === null) return undefined;
  const value = (body as Record<string, unknown>)[field];
  return typeof value === 'string' ? value : undefined;
}

/** These statuses are an answer, not a failure. */
export async function unless<T>(
  statuses: readonly number[],
  call: Promise<T>,
): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasStatus(error, ...statuses)) return undefined;
    throw error;
  }
}
