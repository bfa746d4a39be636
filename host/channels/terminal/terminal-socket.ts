import { chmod, lstat, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { connect, type Server, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { BerthError, errnoOf, toBerthError } from '../../../shared/base/errors.js';
import { closeToOthers } from '../../../shared/base/private-file.js';
import { assertSocketPath } from './terminal-protocol.js';

export interface SocketPlace {
  /** At most 107 bytes; its folder is made if missing. */
  readonly path: string;
  /**
   * The home's own: the folder is closed to other users, and the daemon's lock guarantees that a socket found there is a dead
   * one's. Elsewhere the folder stays as it is, and a socket that still answers is left alone.
   */
  readonly isHomesOwn: boolean;
}

/**
 * Listens there, for this user only. The socket is bound in a private folder, closed to others, and then moved: at no
 * moment can anybody else connect, and a dead daemon's socket is replaced in one step.
 * Throws config_invalid (the path is too long), in_use (something else lies there) or io_failed.
 */
export async function listenPrivately(server: Server, place: SocketPlace): Promise<void> {
  const { path, isHomesOwn } = place;
  assertSocketPath(path);
  const folder = dirname(path);
  const privateFolder = join(folder, `.${basename(path, '.sock')}`);
  const bound = join(privateFolder, 's');
  assertSocketPath(bound);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (isHomesOwn) closeToOthers(folder);
  await assertReplaceable(place);
  await removePrivateFolder(privateFolder);
  await mkdir(privateFolder, { mode: 0o700 });
  await listen(server, bound);
  await chmod(bound, 0o600);
  await rename(bound, path);
  await removePrivateFolder(privateFolder);
}

/** Takes away no more than what is made here: elsewhere, something else may have that name. */
async function removePrivateFolder(folder: string): Promise<void> {
  try {
    await rm(join(folder, 's'), { force: true });
    await rmdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw new BerthError('in_use', `${folder} is in the way of the socket beside it.`, {
      next: 'Move it away, or name another path.',
      cause: error,
      facts: { path: folder },
    });
  }
}

/** Clients may take a quarter of the file descriptors: the rest is for what they write to. */
export function connectionLimit(descriptorLimit = 1_024): number {
  return Math.max(4, Math.min(2_048, Math.floor(descriptorLimit / 4)));
}

/** How long a client that is sent away may take to read why, in milliseconds. */
const sendAwayMs = 1_000;

/** Says one line to a client, and closes. */
export function sendAway(socket: Socket, line: string): void {
  const timer = setTimeout(() => socket.destroy(), sendAwayMs);
  socket.on('error', () => undefined);
  socket.once('close', () => {
    clearTimeout(timer);
  });
  socket.write(line);
  socket.destroySoon();
}

async function assertReplaceable({ path, isHomesOwn }: SocketPlace): Promise<void> {
  const stat = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw toBerthError(error);
  });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new BerthError(
      'in_use',
      `${path} is no socket, so the terminal channel cannot listen there.`,
      { next: 'Move that file away, then start Berth again.', facts: { path } },
    );
  }
  if (isHomesOwn || !(await isListenedTo(path))) return;
  throw new BerthError('in_use', `Another program listens at ${path} already.`, {
    next: 'Name another path, or end that program.',
    facts: { path },
  });
}

/** Only a refusal says that nobody does. */
function isListenedTo(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      resolve(!['ECONNREFUSED', 'ENOENT'].includes(errnoOf(error) ?? ''));
    });
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(toBerthError(error));
    };
    server.once('error', fail);
    server.listen({ path }, () => {
      server.removeListener('error', fail);
      resolve();
    });
  });
}
