/** Files and folders that nobody but the program's own user may read, whatever the umask is. */
import { chmodSync, chownSync, closeSync, lstatSync, openSync, statSync } from 'node:fs';
import { errnoOf } from './errors.js';

/** Makes an empty file with mode 0600; no effect where something stands there already. */
export function makePrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    // Any other trouble is told by the one who opens the file.
    if (errnoOf(error) === undefined) throw error;
  }
}

/**
 * A group that nobody is in but the reader process of a root daemon: it may pass through data/, and read nothing there.
 * The number is one of the last that Debian leaves to packages, and none has taken it.
 */
export const readerGroup = 64_998;

/** A group needs these bits to pass through a folder. */
const groupPasses = 0o010;

/**
 * Takes all rights of others away; the reader's group may still pass through a folder that it was given. No effect on what
 * belongs to another user: its owner decides.
 */
export function closeToOthers(path: string): void {
  try {
    const { mode, gid } = statSync(path);
    const kept = 0o7700 | (gid === readerGroup ? groupPasses : 0);
    if ((mode & 0o7777 & ~kept) !== 0) chmodSync(path, mode & kept);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Lets the reader's group, and nobody else, pass through a folder of root's. No effect where that may not be. */
export function letReaderPass(path: string): void {
  try {
    chownSync(path, -1, readerGroup);
    chmodSync(path, 0o700 | groupPasses);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Whether that group can pass through a folder. */
export function letsReaderPass(path: string): boolean {
  const { mode, gid } = statSync(path);
  return (mode & 0o001) !== 0 || (gid === readerGroup && (mode & groupPasses) !== 0);
}

const allPass = 0o011;

/** Lets everybody pass through a folder, and see nothing of it. No effect on what belongs to another user. */
export function letAllPass(path: string): void {
  try {
    const { mode } = lstatSync(path);
    if ((mode & allPass) !== allPass) chmodSync(path, (mode & 0o7777) | allPass);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
