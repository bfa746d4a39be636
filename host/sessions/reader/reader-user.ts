/** Who reads what containers wrote: nobody who owns anything, where that can be. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface ReaderUser {
  readonly uid: number;
  readonly gid: number;
}

/** One of the last numbers that Debian leaves to packages, and that none has taken. */
const nobodysId = 64_998;

/** What lets everybody through a folder. */
const throughForAll = 0o001;

/**
 * Where the daemon is root, the reader becomes another user; null: it stays who the daemon is. SQLite opens a file by
 * its whole path, so that every folder above it must let that user through.
 */
export function readerUserFor(
  sessionsDir: string,
  daemonUid = process.getuid?.(),
): { readonly user: ReaderUser | null; readonly closedFolder: string | undefined } {
  if (daemonUid !== 0) return { user: null, closedFolder: undefined };
  const closedFolder = foldersAbove(sessionsDir).find(
    (folder) => (statSync(folder).mode & throughForAll) === 0,
  );
  const user = closedFolder === undefined ? { uid: nobodysId, gid: nobodysId } : null;
  return { user, closedFolder };
}

/** Itself included. */
function foldersAbove(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...foldersAbove(parent)];
}
