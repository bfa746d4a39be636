import { statfsSync } from 'node:fs';

/** ext2–4, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS. Source: statfs(2), "Filesystem types". */
const localTypes = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010,
]);

/**
 * Whether the kernel that runs this process keeps the disk itself, so that a file that stays open shows what others have
 * written to it. A mount from another machine, as under Docker Desktop, may show that only to who opens it anew.
 */
export function isLocalDisk(path: string): boolean {
  try {
    return localTypes.has(statfsSync(path).type);
  } catch {
    return false;
  }
}
