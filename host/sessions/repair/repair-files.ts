/**
 * File work of a repair. A file that a container may have made is copied into a folder that it cannot reach, and never
 * followed through links; a file that is replaced is kept.
 */
import { createWriteStream, lstatSync, type Stats } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BerthError, errnoOf, hasCode } from '../../../shared/base/errors.js';
import { companionSuffixes } from '../../../shared/base/sqlite/sqlite.js';
import { withConfinedFile } from '../files/confined-file.js';

/** How many damaged files of one name are kept, the newest. */
const keptCopies = 3;

/**
 * Copies an ordinary file. False where there is none worth reading: nothing, a link, a pipe, a folder, or more than
 * `maxBytes`. Throws what the operating system throws when it cannot be read.
 */
export async function copyOrdinary(from: string, to: string, maxBytes: number): Promise<boolean> {
  try {
    return await withConfinedFile(dirname(from), [basename(from)], {}, async ({ handle, stat }) => {
      if (stat.size > maxBytes) return false;
      const bytes = handle.createReadStream({ end: maxBytes, autoClose: false });
      await pipeline(bytes, createWriteStream(to, { flags: 'wx', mode: 0o644 }));
      return true;
    });
  } catch (error) {
    if (!hasCode(error, 'file_refused')) throw error;
    const { errno } = error.facts;
    if (errno === 'ENOENT' || errno === null) return false;
    // Opened so that nothing is waited for. Nobody is short of anything then. Source: open(2), EWOULDBLOCK.
    if (errno !== 'EAGAIN') throw error.cause;
    throw new BerthError('io_failed', `Another program holds a lease on ${from}.`, {
      next: 'End that program.',
      cause: error,
    });
  }
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

/**
 * Keeps a damaged file in `keptDir` under its name and the time, whatever it is; what SQLite has made beside it goes along,
 * under names by which SQLite does not take it for that. Returns where it is, or undefined where there was nothing.
 */
export async function keepDamaged(
  path: string,
  keptDir: string,
  now: string,
): Promise<string | undefined> {
  await mkdir(keptDir, { recursive: true, mode: 0o700 });
  const name = join(keptDir, `${basename(path)}-${now.replaceAll(/[:.]/g, '-')}`);
  let kept = name;
  for (let next = 2; findStat(kept) !== undefined; next += 1) kept = `${name}-${next}`;
  // These first: beside a fresh file they would be taken for that one's.
  for (const suffix of companionSuffixes) {
    await renameIfThere(`${path}${suffix}`, `${kept}.${suffix.slice(1)}`);
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

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Their names sort by time. */
async function dropOldest(keptDir: string, name: string): Promise<void> {
  const entries = (await readdir(keptDir)).filter((entry) => entry.startsWith(`${name}-`));
  const newest = [...new Set(entries.map(withoutSuffix))].sort().slice(-keptCopies);
  for (const entry of entries) {
    if (newest.includes(withoutSuffix(entry))) continue;
    await rm(join(keptDir, entry), { recursive: true, force: true });
  }
}

/** The name of a kept file, of its own name or of a companion's. */
function withoutSuffix(entry: string): string {
  return entry.replace(/\.(journal|wal|shm)$/, '');
}
