/** Files and folders that nobody but the program's own user may read, whatever the umask is. */
import { chmodSync, closeSync, statSync, openSync } from 'node:fs';
import { errnoOf } from './errors.js';

/** Makes an empty file with mode 0600; no effect where something stands there already. */
export function makePrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    // What else is wrong is told by the one who opens the file.
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Takes all rights of others away. No effect on what belongs to another user: its owner decides. */
export function closeToOthers(path: string): void {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) chmodSync(path, mode & 0o7700);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
