/** Opens the terminal's socket, and asks through it whether the daemon answers. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { BerthError, errnoOf, toBerthError } from '../../../shared/base/errors.js';
import { assertSocketPath } from './terminal-protocol.js';

/** Whether the daemon answers within that time; undefined where nobody listens. A line that says nothing gets an error. */
export async function isAnswering(
  socketPath: string,
  withinMs: number,
): Promise<boolean | undefined> {
  let socket: Socket | undefined;
  try {
    assertSocketPath(socketPath);
    socket = await openSocket(socketPath, withinMs);
    socket.write('{}\n');
    await once(socket, 'data', { signal: AbortSignal.timeout(withinMs) });
    return true;
  } catch (error) {
    return error instanceof Error && error.name === 'AbortError' ? false : undefined;
  } finally {
    socket?.destroy();
  }
}

/** Throws daemon_not_running or io_failed. */
export function openSocket(path: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const timer = setTimeout(() => {
      socket.destroy(daemonNotRunning('The daemon does not answer on its socket.'));
    }, timeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(fromConnecting(error, path));
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}

/** Connecting fails with these where there is no daemon, or where it ends at that moment. */
const notThere = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ECONNRESET', 'EPIPE']);

function fromConnecting(error: Error, path: string): BerthError {
  const errno = errnoOf(error);
  if (notThere.has(errno ?? '')) {
    return daemonNotRunning('No daemon is running.', error);
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return new BerthError('io_failed', `The daemon's socket ${path} belongs to another user.`, {
      next: 'Run the command as the user who runs the daemon.',
      cause: error,
      facts: { path },
    });
  }
  return toBerthError(error);
}

function daemonNotRunning(message: string, cause?: Error): BerthError {
  const next = 'Start it with `berth start --detach`.';
  return new BerthError('daemon_not_running', message, { next, cause });
}
