import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../base/errors.js';

/** utimes(2) fails with these where the mark is gone, or belongs to somebody else. */
const makeAnew = new Set(['ENOENT', 'EPERM', 'EACCES']);

/**
 * Sets an empty file's mtime to the present, and makes it where it is missing: one file event for whoever watches it.
 * The time is never before that of a commit that came before. A file at the path is never opened. Throws what the
 * operating system throws.
 */
export function touchMark(path: string): void {
  // Date.now() is cut to milliseconds, and the time of the commit is not.
  const at = (Date.now() + 1) / 1_000;
  try {
    utimesSync(path, at, at);
  } catch (error) {
    if (!makeAnew.has(errnoOf(error) ?? '')) throw error;
    rmSync(path, { force: true });
    writeFileSync(path, '', { flag: 'wx', mode: 0o644 });
  }
}
