/** The other end of the terminal's wire: what a command speaks to the daemon with. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { BerthError, errnoOf, toBerthError } from '../../shared/base/errors.js';
import { newId } from '../../shared/base/ids.js';
import { LineSplitter } from './ndjson.js';
import { RecentIds } from './recent-ids.js';
import { TerminalLink } from './terminal-link.js';
import { assertSocketPath, maxServerLineBytes } from './terminal-protocol.js';

export interface TerminalClientDeps {
  readonly socketPath: string;
  readonly connectTimeoutMs?: number;
}

/** Remembers over several connections what was heard: what is sent again is left out. */
export class TerminalClient {
  readonly #deps: TerminalClientDeps;
  readonly #heard = new RecentIds(10_000);

  constructor(deps: TerminalClientDeps) {
    this.#deps = deps;
  }

  /** Throws daemon_not_running, config_invalid (the path is too long) or io_failed. */
  async connect(): Promise<TerminalLink> {
    const { socketPath, connectTimeoutMs = 5_000 } = this.#deps;
    assertSocketPath(socketPath);
    const socket = await open(socketPath, connectTimeoutMs);
    const link = new TerminalLink({
      socket,
      splitter: new LineSplitter(maxServerLineBytes),
      heard: this.#heard,
      newId,
    });
    link.start();
    return link;
  }

  /** Whether the daemon answers within that time; undefined where nobody listens. A line that says nothing gets an error. */
  async isAnswering(withinMs: number): Promise<boolean | undefined> {
    const { socketPath } = this.#deps;
    let socket: Socket | undefined;
    try {
      assertSocketPath(socketPath);
      socket = await open(socketPath, withinMs);
      socket.write('{}\n');
      await once(socket, 'data', { signal: AbortSignal.timeout(withinMs) });
      return true;
    } catch (error) {
      return error instanceof Error && error.name === 'AbortError' ? false : undefined;
    } finally {
      socket?.destroy();
    }
  }
}

function open(path: string, timeoutMs: number): Promise<Socket> {
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

/** What connecting says where there is no daemon, or where it ends at that moment. */
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
