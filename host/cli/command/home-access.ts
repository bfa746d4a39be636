/** Whether BERTH_HOME can be used at all: said at the door, and not as a system's error from deep inside. */
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { BerthError, errnoOf, toBerthError } from '../../../shared/base/errors.js';
import type { HomePaths } from '../../config/home-paths.js';

const next =
  'Correct its owner or mode, run the command as the user it belongs to, or name another folder with --home.';

/** A file that is not there yet is fine. Throws io_failed for what is there and cannot be read. */
export function assertHomeReadable({ home, dataDir, centralDb }: HomePaths): void {
  for (const folder of [home, dataDir]) {
    if (!assertFolder(folder)) return;
  }
  if (find(centralDb) === undefined) return;
  try {
    accessSync(centralDb, constants.R_OK);
  } catch (error) {
    throw unusable(centralDb, error);
  }
}

/** Makes a folder and what it lies in. Throws io_failed where that cannot be. */
export function makeFolder(path: string): void {
  if (assertFolder(path)) return;
  makeFolder(dirname(path));
  try {
    // Not recursive: below /proc that never ends.
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    if (errnoOf(error) === 'ENOSPC') throw toBerthError(error);
    throw new BerthError('io_failed', `The folder ${path} cannot be made (${reasonOf(error)}).`, {
      next: 'Name a folder that you may write to with --home or BERTH_HOME.',
      cause: error,
    });
  }
}

/** Whether there is one. */
function assertFolder(path: string): boolean {
  const stat = find(path);
  if (stat === undefined) return false;
  if (stat.isDirectory()) return true;
  throw new BerthError('io_failed', `${path} is a file, and a folder is needed there.`, {
    next: 'Name a folder with --home or BERTH_HOME.',
  });
}

function find(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') {
      assertFolder(dirname(path));
      return undefined;
    }
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): BerthError {
  return new BerthError('io_failed', `${path} cannot be read (${reasonOf(error)}).`, {
    next,
    cause: error,
  });
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'nothing can be made there',
};

function reasonOf(error: unknown): string {
  const errno = errnoOf(error) ?? '';
  return reasons[errno] ?? (errno || 'unknown reason');
}
