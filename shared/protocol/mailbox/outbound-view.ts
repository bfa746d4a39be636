/**
 * Another name for outbound.db, in a folder that no container reaches. SQLite opens what lies beside a database too, by
 * its name: beside the container's own one that could be a pipe, a link, or memory that is cut away while it is read. A
 * hard link is the same file with the same locks, and nothing lies beside it. The file that it names was an ordinary
 * one when it was linked, and stays so, whatever the container does.
 */
import { linkSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError, errnoOf } from '../../base/errors.js';
import { letAllPass } from '../../base/private-file.js';
import { notAFile } from '../../base/sqlite/sqlite.js';
import { assertNotHostile } from './hostile-file.js';
import { outboundDbName } from '../workspace.js';

/** link(2) fails with these where the file system knows no hard links: the file is opened by its own name then. */
const noLinks = new Set(['EPERM', 'EROFS', 'ENOTSUP', 'ENOSYS', 'EXDEV']);

/** The name to open. Throws database_missing, database_unreadable where it is no ordinary file, or database_corrupt. */
export function viewOutbound(path: string, viewDir: string): string {
  const name = linkView(path, viewDir);
  if (!lstatSync(name).isFile()) throw notAFile(path);
  assertNotHostile(name, path);
  return name;
}

/**
 * Makes the second name unless it is there, and returns the name to open: the file's own where it cannot be linked.
 * Opens nothing. Throws database_missing, or database_unreadable where it is no ordinary file.
 */
export function linkView(path: string, viewDir: string): string {
  const view = join(viewDir, outboundDbName);
  const name = isLinked(path, view) || link(path, view, viewDir) ? view : path;
  // The reader may be another user.
  if (name === view) letAllPass(viewDir);
  return name;
}

/** As viewOutbound, for one who may not make the second name: throws database_unreadable with `needsView` where it is not there. */
export function findView(path: string, viewDir: string): string {
  const view = join(viewDir, outboundDbName);
  if (!isWithinReach(path, view)) {
    const facts = { path, needsView: true };
    throw new BerthError('database_unreadable', `${path} has no second name yet.`, { facts });
  }
  if (!lstatSync(view).isFile()) throw notAFile(path);
  assertNotHostile(view, path);
  return view;
}

/** A folder that an earlier version has made may be closed. */
function isWithinReach(path: string, view: string): boolean {
  try {
    return isLinked(path, view);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    return false;
  }
}

function isLinked(path: string, view: string): boolean {
  const own = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (own === undefined) throw missing(path);
  if (!own.isFile()) throw notAFile(path);
  const known = lstatSync(view, { bigint: true, throwIfNoEntry: false });
  return known?.ino === own.ino && known.dev === own.dev;
}

/** A journal beside the file belongs to a writer in a commit, or to one that was killed in it. */
export function hasJournal(path: string): boolean {
  return lstatSync(`${path}-journal`, { throwIfNoEntry: false }) !== undefined;
}

/** False where it cannot be linked. */
function link(path: string, view: string, viewDir: string): boolean {
  // By another name first: whoever reads at the same time has a file to open at every moment.
  const draft = `${view}.new`;
  try {
    mkdirSync(viewDir, { recursive: true, mode: 0o711 });
    // A draft that a crash has left may be of an older file.
    rmSync(draft, { force: true });
    linkSync(path, draft);
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    if (noLinks.has(errno)) return false;
    // The container has linked it so often that no link more fits: by its own name it must not be opened for that.
    if (errno === 'EMLINK') throw notAFile(path);
    if (errno === 'ENOENT') throw missing(path, error);
    throw error;
  }
  renameSync(draft, view);
  return true;
}

function missing(path: string, cause?: unknown): BerthError {
  return new BerthError('database_missing', `There is no database at ${path}.`, {
    cause,
    facts: { path },
  });
}
