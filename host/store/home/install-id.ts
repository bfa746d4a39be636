/**
 * Names this install on its containers. The id is kept together with what the file system knows the home by: a home
 * that was moved keeps its id and its containers, one that was copied gets an id of its own and leaves the
 * original's containers alone.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { errnoOf } from '../../../shared/base/errors.js';
import {
  folderIdentitySchema,
  identifyFolder,
  isSameFolder,
  type PlacedFolder,
} from './home-identity.js';

export interface InstallPaths {
  readonly home: string;
  /** Holds a random id. The version before reads it too, and makes its id of it and of the home's path. */
  readonly installIdFile: string;
  /** Holds what the home was when the id was made. The version before does not know it. */
  readonly installHomeFile: string;
}

export interface Install {
  /** 12 hex digits. */
  readonly id: string;
  /** `known`: as at the last start, or recorded for the first time. `new`: never started before. */
  readonly origin: 'known' | 'new' | 'moved' | 'copied';
  /** The record named this before the home was moved or copied. */
  readonly before: { readonly id: string; readonly home: string } | null;
}

const recordSchema = z.object({
  installId: z.string().regex(/^[0-9a-f]{12}$/),
  /** The content of the install's id file then. */
  seed: z.string(),
  home: folderIdentitySchema.extend({ path: z.string() }),
});

type InstallRecord = z.infer<typeof recordSchema>;

/**
 * For the holder of the daemon's lock: two programs at once would each make an id. A kill at any moment is made up for by
 * the next call. Throws io errors.
 */
export function ensureInstall(paths: InstallPaths): Install {
  const home: PlacedFolder = {
    ...identifyFolder(paths.home),
    path: realpathSync(paths.home),
  };
  const record = readRecord(paths.installHomeFile);
  const seed = readSeed(paths.installIdFile) ?? restoreSeed(paths, record, home);
  if (seed === undefined) return makeAnew(paths, home, 'new', null);
  // An id file that was replaced asks for another id.
  if (record?.seed !== seed) return remember(paths, home, seed, 'known');
  const before = { id: record.installId, home: record.home.path };
  if (!isSameFolder(record.home, home)) return makeAnew(paths, home, 'copied', before);
  const isMoved = record.home.path !== home.path;
  if (JSON.stringify(record.home) !== JSON.stringify(placed(home))) {
    writeRecord(paths, { ...record, home: placed(home) });
  }
  return isMoved
    ? { id: record.installId, origin: 'moved', before }
    : { id: record.installId, origin: 'known', before: null };
}

/**
 * The id file has been taken away by somebody: under another id, its agents would run on, and others be started beside
 * them.
 */
function restoreSeed(
  paths: InstallPaths,
  record: InstallRecord | undefined,
  home: PlacedFolder,
): string | undefined {
  if (record === undefined || !isSameFolder(record.home, home)) return undefined;
  replaceFile(paths.installIdFile, `${record.seed}\n`);
  return record.seed;
}

function makeAnew(
  paths: InstallPaths,
  home: PlacedFolder,
  origin: 'new' | 'copied',
  before: Install['before'],
): Install {
  const seed = randomUUID();
  // First: a record without its seed is made again, and comes to the same id.
  replaceFile(paths.installIdFile, `${seed}\n`);
  return { ...remember(paths, home, seed, origin), before };
}

function remember(
  paths: InstallPaths,
  home: PlacedFolder,
  seed: string,
  origin: Install['origin'],
): Install {
  const installId = deriveId(seed, home.path);
  writeRecord(paths, { installId, seed, home: placed(home) });
  return { id: installId, origin, before: null };
}

/** As the version before does, so that its containers are found, and it finds these. */
function deriveId(seed: string, homePath: string): string {
  return createHash('sha256').update(`${seed}\n${homePath}`).digest('hex').slice(0, 12);
}

function placed({ path, device, inode, born }: PlacedFolder): InstallRecord['home'] {
  return { path, device, inode, born };
}

function readSeed(path: string): string | undefined {
  const seed = readIfThere(path)?.trim();
  return seed === '' ? undefined : seed;
}

/** Undefined also for what cannot be parsed: the id is made again then, and is the same unless the home was moved. */
function readRecord(path: string): InstallRecord | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function writeRecord(paths: InstallPaths, record: InstallRecord): void {
  replaceFile(paths.installHomeFile, `${JSON.stringify(record, null, 2)}\n`);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function replaceFile(path: string, text: string): void {
  const draft = `${path}.new`;
  writeFileSync(draft, text, { mode: 0o600, flush: true });
  renameSync(draft, path);
}
