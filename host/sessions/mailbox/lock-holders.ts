/**
 * Which processes hold a lock on a file, as the kernel tells: /proc/locks names the owner of a POSIX lock, and of an open
 * file description's lock only that there is one; /proc/PID/fdinfo tells the locks of a process's own descriptors. Locks of
 * processes in a PID namespace that the daemon does not see, and of other machines, are in neither.
 * Source: proc_locks(5), proc_pid_fdinfo(5), fcntl_locking(2).
 */
import { lstat, readdir, readFile } from 'node:fs/promises';

export interface FoundHolders {
  /** As this process sees them, itself left out. */
  readonly pids: readonly number[];
  /** Another process holds one too, or alone: an open file description, whose processes are not told. */
  readonly hasUnnamed: boolean;
}

/** `3: POSIX  ADVISORY  READ 1234 fe:00:1474871 1073741826 1073742335`; who waits for a lock has an arrow after the number. */
const lockLine =
  /^(?:lock:\s+)?\d+: (?:POSIX|OFDLCK|FLOCK)\s+\S+\s+\S+\s+(-?\d+) [\da-f]+:[\da-f]+:(\d+) /;

/** Owners of locks on a file, by its inode: on some file systems the device there is not the one that stat tells. */
export function parseLocks(text: string, inode: bigint): readonly number[] {
  return text.split('\n').flatMap((line) => {
    const [, pid, ino] = lockLine.exec(line) ?? [];
    return ino === String(inode) ? [Number(pid)] : [];
  });
}

export class LockHolders {
  /** Nobody where the system does not tell. Never rejects. */
  async find(path: string): Promise<FoundHolders> {
    try {
      const { ino } = await lstat(path, { bigint: true });
      const owners = parseLocks(await readFile('/proc/locks', 'utf8'), ino);
      const pids = owners.filter((pid) => pid > 0 && pid !== process.pid);
      return { pids: [...new Set(pids)], hasUnnamed: owners.some((pid) => pid <= 0) };
    } catch {
      return { pids: [], hasUnnamed: false };
    }
  }

  /** Of the processes that `isMeant` names, whether one holds a lock on the file through a descriptor of its own. Never rejects. */
  async isHeldByOneOf(path: string, isMeant: (pid: number) => Promise<boolean>): Promise<boolean> {
    try {
      const { ino } = await lstat(path, { bigint: true });
      const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 1);
      for (const pid of pids) {
        if ((await isMeant(pid)) && (await holdsLock(pid, ino))) return true;
      }
    } catch {
      // It cannot be told.
    }
    return false;
  }

  /** The name of its command, as `sqlite3`; undefined where it has ended. */
  async nameOf(pid: number): Promise<string | undefined> {
    try {
      const name = await readFile(`/proc/${pid}/comm`, 'utf8');
      return name.replace(/[^ -~]/g, '').trim();
    } catch {
      return undefined;
    }
  }
}

async function holdsLock(pid: number, inode: bigint): Promise<boolean> {
  const folder = `/proc/${pid}/fdinfo`;
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const text = await readFile(`${folder}/${name}`, 'utf8').catch(() => '');
    if (parseLocks(text, inode).length > 0) return true;
  }
  return false;
}
