/**
 * Lets the temporary files of unit tests lie in memory, where the machine can: most of their time was spent waiting for
 * a disk that they are not about. On CI they stay on the disk, so that both places are tried.
 */
import {
  accessSync,
  constants,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

const memory = '/dev/shm';
const neededBytes = 2 ** 30;
/** Short, since paths of Unix sockets have 107 bytes at the most. The number is the id of the process that made it. */
const nameOfOurs = /^berth-(\d+)-[^-]+$/;
const abandonedAfterMs = 600_000;

export function setup(project: Pick<TestProject, 'config'>): (() => void) | undefined {
  const folder = makeFolderIn(memory);
  if (folder === undefined) return undefined;
  project.config.env = { ...project.config.env, TMPDIR: folder };
  return () => {
    rmSync(folder, { recursive: true, force: true });
  };
}

/** A new folder there; undefined where that place is missing, small, not writable or does not let files be executed. */
export function makeFolderIn(place: string): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(place);
    if (bavail * bsize < neededBytes) return undefined;
    removeAbandoned(place);
    const folder = mkdtempSync(join(place, `berth-${process.pid}-`));
    if (mayExecuteIn(folder)) return folder;
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // There is no such place for us: the ordinary folder is as good, only slower.
  }
  return undefined;
}

function mayExecuteIn(folder: string): boolean {
  const probe = join(folder, 'probe');
  writeFileSync(probe, '', { mode: 0o700 });
  try {
    accessSync(probe, constants.X_OK);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { force: true });
  }
}

/** A run that was killed leaves its folder, which would take memory until the next boot. */
function removeAbandoned(place: string): void {
  for (const name of readdirSync(place)) {
    const pid = nameOfOurs.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const folder = join(place, name);
    const { uid, mtimeMs } = statSync(folder);
    if (uid !== process.getuid?.() || Date.now() - mtimeMs < abandonedAfterMs) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
