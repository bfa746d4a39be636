/** How many file descriptors this process may have, and has. Source: proc_pid_limits(5), proc_pid_fd(5). */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

const limitsPath = '/proc/self/limits';

export interface DescriptorCount {
  /** The soft limit: every descriptor's number is below it. */
  readonly limit: number;
  /** Numbers below the limit that are not in use. */
  readonly free: number;
}

/** The soft limit; undefined where the system does not tell. */
export function readDescriptorLimit(): number | undefined {
  try {
    return parseDescriptorLimit(readFileSync(limitsPath, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Rejects with the system's error: ENOENT where it does not tell, EMFILE or ENFILE where none is left to count with. */
export async function countDescriptors(): Promise<DescriptorCount> {
  const limit = parseDescriptorLimit(await readFile(limitsPath, 'utf8')) ?? Number.MAX_SAFE_INTEGER;
  const names = await readdir('/proc/self/fd');
  // The reading alone needed one of them.
  const used = names.filter((name) => Number(name) < limit).length - 1;
  return { limit, free: limit - used };
}

/** Undefined where the text tells none; without a limit, the greatest number. */
export function parseDescriptorLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (soft === 'unlimited') return Number.MAX_SAFE_INTEGER;
  return soft === undefined || !/^\d+$/.test(soft) ? undefined : Number(soft);
}
