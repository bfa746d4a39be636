/** Why SQLite could not open or write a file, where this process has run short of something: SQLite does not tell. */
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { devNull } from 'node:os';
import { errnoOf, shortageOf, type BerthError } from './errors.js';

/** Undefined where nothing is short that the database at `path` needs. */
export function probeShortage(path: string): BerthError | undefined {
  try {
    closeSync(openSync(devNull, 'r'));
  } catch (error) {
    return shortageOf(errnoOf(error), error);
  }
  return mayGrow(path) ? undefined : shortageOf('EFBIG', undefined);
}

/** More than one transaction writes into a file beside the database, in bytes. */
const growth = 256 * 1024;

/** Whether the limit of the length of files leaves room. Source: proc_pid_limits(5), setrlimit(2). */
function mayGrow(path: string): boolean {
  const soft = /^Max file size\s+(\d+)/m.exec(readIfThere('/proc/self/limits'))?.[1];
  if (soft === undefined) return true;
  const longest = Math.max(...['', '-wal', '-journal'].map((suffix) => lengthOf(path + suffix)));
  return longest + growth <= Number(soft);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function lengthOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
