import { chmod, lstat, mkdir, rename, rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { BerthError, errnoOf, toBerthError } from '../../../shared/base/errors.js';
import { closeToOthers } from '../../../shared/base/private-file.js';
import { assertSocketPath } from './terminal-protocol.js';

/**
 * Listens at `path`, for this user only. The socket is bound in a private folder, closed to others, and then
 * moved: at no moment can anybody else connect, and a dead daemon's socket is replaced in one step.
 * The daemon's lock is what guarantees that the socket found there is a dead one's.
 * Throws config_invalid (the path is too long), in_use (something else lies there) or io_failed.
 */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  assertSocketPath(path);
  const folder = dirname(path);
  const privateFolder = join(folder, '.terminal');
  const bound = join(privateFolder, 's');
  assertSocketPath(bound);
  await mkdir(folder, { recursive: true });
  closeToOthers(folder);
  await assertReplaceable(path);
  await rm(privateFolder, { recursive: true, force: true });
  await mkdir(privateFolder, { mode: 0o700 });
  await listen(server, bound);
  await chmod(bound, 0o600);
  await rename(bound, path);
  await rm(privateFolder, { recursive: true, force: true });
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

async function assertReplaceable(path: string): Promise<void> {
  const stat = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw toBerthError(error);
  });
  if (stat === undefined || stat.isSocket()) return;
  throw new BerthError(
    'in_use',
    `${path} is no socket, so the terminal channel cannot listen there.`,
    {
      next: 'Move that file away, then start Berth again.',
      facts: { path },
    },
  );
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
