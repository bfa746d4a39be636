import { statfsSync } from 'node:fs';

/** Less than this, and a message may be refused: its commits need some pages of each database. In bytes. */
const enoughBytes = 1024 * 1024;

export interface DiskSpace {
  /** For this user, in bytes. */
  readonly freeBytes: number;
}

/** Null where the file system does not tell, or there is no such folder yet. */
export function findDiskSpace(path: string): DiskSpace | null {
  try {
    const { bavail, bfree, bsize } = statfsSync(path);
    // Some of it is root's alone.
    return { freeBytes: (process.getuid?.() === 0 ? bfree : bavail) * bsize };
  } catch {
    return null;
  }
}

/** A problem in words; undefined where there is room, or nobody knows. */
export function describeFullDisk(space: DiskSpace | null, folder: string): string | undefined {
  if (space === null || space.freeBytes >= enoughBytes) return undefined;
  const left = Math.floor(space.freeBytes / 1024);
  return `the disk is full: ${left} KiB are left where ${folder} lies. Messages that cannot be written are refused until there is room, and nothing is lost`;
}
