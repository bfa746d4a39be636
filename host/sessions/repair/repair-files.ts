/**
 * File work of a repair. What a container may have made is copied into a folder that it cannot reach, and never
 * followed through links; what is replaced is kept beside it.
 */
import { createWriteStream, lstatSync, type Stats } from 'node:fs';
import { mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BerthError, errnoOf, hasCode } from '../../../shared/base/errors.js';
import { companionSuffixes } from '../../../shared/base/sqlite/sqlite.js';
import { withConfinedFile } from '../files/confined-file.js';

export type Copied =
  | 'copied'
  | 'missing'
  /** A link, a pipe, a folder, or too large: nothing that is worth reading. */
  | 'odd';

/** How many damaged files of one name are kept, the newest. */
const keptCopies = 3;

/** Copies an ordinary file of at most `maxBytes`. Throws what the operating system throws when it cannot be read. */
export async function copyOrdinary(from: string, to: string, maxBytes: number): Promise<Copied> {
  try {
    return await withConfinedFile(dirname(from), [basename(from)], {}, async ({ handle, stat }) => {
      if (stat.size > maxBytes) return 'odd';
      const bytes = handle.createReadStream({ end: maxBytes, autoClose: false });
      await pipeline(bytes, createWriteStream(to, { flags: 'wx', mode: 0o644 }));
      return 'copied';
    });
  } catch (error) {
    if (!hasCode(error, 'file_refused')) throw error;
    const errno = error.facts['errno'];
    if (errno === 'ENOENT') return 'missing';
    if (errno === null) return 'odd';
    // Opened so that nothing is waited for. Nobody is short of anything then. Source: open(2), EWOULDBLOCK.
    if (errno === 'EAGAIN') throw leased(from, error);
    throw error.cause;
  }
}

function leased(path: string, cause: unknown): BerthError {
  return new BerthError('io_failed', `Another program holds a lease on ${path}.`, {
    next: 'End that program.',
    cause,
  });
}

/** Undefined where nothing is there, and where it cannot be reached. */
export function findStat(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** A folder of the host alone, empty. */
export async function emptyWorkDir(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true, mode: 0o700 });
}

/**
 * Keeps a damaged file in `keptDir` under its name and the time, whatever it is; what SQLite has made beside it goes along,
 * under names by which SQLite does not take it for that. Returns where it is, or undefined where there was nothing.
 */
export async function setFileAside(
  path: string,
  keptDir: string,
  now: string,
): Promise<string | undefined> {
  await mkdir(keptDir, { recursive: true, mode: 0o700 });
  const name = `${basename(path)}-${now.replaceAll(/[:.]/g, '-')}`;
  const kept = await findFreeName(join(keptDir, name));
  // These first: beside a fresh file they would be taken for that one's.
  for (const suffix of companionSuffixes) {
    await renameIfThere(`${path}${suffix}`, keptCompanion(kept, suffix));
  }
  const isThere = await renameIfThere(path, kept);
  await dropOldest(keptDir, basename(path));
  return isThere ? kept : undefined;
}

/** Puts a file that is complete in the place of another, so that a crash leaves either of them. */
export async function install(from: string, to: string): Promise<void> {
  await syncFile(from);
  await rename(from, to);
  await syncFile(dirname(to));
}

export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Not larger than `maxBytes`, not through a link; empty where that cannot be read. */
export async function readShort(path: string, maxBytes: number): Promise<string> {
  try {
    return await withConfinedFile(dirname(path), [basename(path)], {}, async ({ handle }) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
      return buffer.toString('latin1', 0, bytesRead);
    });
  } catch (error) {
    if (!hasCode(error, 'file_refused') && errnoOf(error) === undefined) throw error;
    return '';
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function findFreeName(path: string): Promise<string> {
  for (let attempt = 1; attempt <= 100; attempt += 1) {
    const candidate = attempt === 1 ? path : `${path}-${attempt}`;
    const names = [candidate, ...companionSuffixes.map((it) => keptCompanion(candidate, it))];
    if (names.every((name) => findStat(name) === undefined)) return Promise.resolve(candidate);
  }
  throw new BerthError('io_failed', `There is no free name for ${path}.`);
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function keptCompanion(kept: string, suffix: (typeof companionSuffixes)[number]): string {
  return `${kept}.${suffix.slice(1)}`;
}

/** Their names sort by time. */
async function dropOldest(keptDir: string, name: string): Promise<void> {
  const copies = (await readdir(keptDir))
    .filter((entry) => entry.startsWith(`${name}-`) && !/\.(journal|wal|shm)$/.test(entry))
    .sort();
  for (const copy of copies.slice(0, -keptCopies)) {
    const path = join(keptDir, copy);
    for (const one of [path, ...companionSuffixes.map((it) => keptCompanion(path, it))]) {
      await rm(one, { recursive: true, force: true });
    }
  }
}
