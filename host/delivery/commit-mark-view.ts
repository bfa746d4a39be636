/**
 * Another name for the runner's commit mark, in a folder that no container reaches. That name is what is watched:
 * whatever the container does to its own, nothing of it is opened or followed here. A hard link is the same file, and
 * so makes the same events.
 */
import { linkSync, lstatSync, mkdirSync, renameSync, rmSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { commitMarkName, commitMarkPath } from '../../shared/protocol/workspace.js';

/** A mark that can be watched. */
export interface MarkView {
  /** The name to watch. */
  readonly path: string;
  /** Tells whether the container's own name is still that file. */
  readonly ino: number;
}

/** The file at a path itself, never what a link leads to; undefined where there is none, or it cannot be asked for. */
export function lstatIfThere(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Undefined where there is no mark, something else is in its place, or the file system knows no hard links. */
export function viewCommitMark(outDir: string, viewDir: string): MarkView | undefined {
  const own = commitMarkPath(outDir);
  if (lstatIfThere(own)?.isFile() !== true) return undefined;
  const path = join(viewDir, commitMarkName);
  const draft = `${path}.new`;
  try {
    mkdirSync(viewDir, { recursive: true, mode: 0o711 });
    rmSync(draft, { force: true });
    linkSync(own, draft);
    // A file may have been exchanged for something else before it was linked; what is linked stays what it is.
    const linked = lstatSync(draft);
    if (!linked.isFile()) {
      rmSync(draft);
      return undefined;
    }
    // If both names are one file already, rename(2) leaves both.
    renameSync(draft, path);
    rmSync(draft, { force: true });
    return { path, ino: linked.ino };
  } catch {
    return undefined;
  }
}
