/** Chooses the user that reads what containers wrote: nobody who owns anything, where that can be. */
import { dirname } from 'node:path';
import { letReaderPass, letsReaderPass, readerGroup } from '../../../shared/base/private-file.js';

export interface ReaderUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Where the daemon is root, the reader becomes another user; null: it stays who the daemon is. SQLite opens a file by
 * its whole path, so that every folder above it must let that user through: data/ is made to, for it alone.
 */
export function readerUserFor(
  { sessionsDir, dataDir }: { readonly sessionsDir: string; readonly dataDir?: string },
  daemonUid = process.getuid?.(),
): { readonly user: ReaderUser | null; readonly closedFolder: string | undefined } {
  if (daemonUid !== 0) return { user: null, closedFolder: undefined };
  if (dataDir !== undefined) letReaderPass(dataDir);
  const closedFolder = foldersAbove(sessionsDir).find((folder) => !letsReaderPass(folder));
  const user = closedFolder === undefined ? { uid: readerGroup, gid: readerGroup } : null;
  return { user, closedFolder };
}

/** Itself included. */
function foldersAbove(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...foldersAbove(parent)];
}
