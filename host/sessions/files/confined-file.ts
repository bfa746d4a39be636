/**
 * Opens what a container may have put below a folder that is not the container's to replace. Each name is opened below the
 * descriptor of the folder before it and never through a link, so that nothing which is exchanged meanwhile leads elsewhere.
 * A file is found without being opened, so that no pipe, socket or device ever is, and then opened by its descriptor.
 */
import { constants, lstatSync, type BigIntStats } from 'node:fs';
import { access, open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, errnoOf } from '../../../shared/base/errors.js';

export interface ConfinedFile {
  /** Open for reading; closed when `use` has ended. */
  readonly handle: FileHandle;
  /** Of that descriptor. */
  readonly stat: BigIntStats;
}

export interface Demand {
  /** The file must be the agent's own, and have no other name: it belongs to the folder's owner, or to `agentUid`. */
  readonly isOwn?: boolean;
  readonly agentUid?: number | undefined;
  /** Another place of `/proc/self/fd`. */
  readonly descriptorsDir?: string | undefined;
}

/** Facts of a refusal. `errno`: of the call that failed, where one has. */
export interface RefusalFacts {
  readonly reason: string;
  readonly errno: string | null;
}

/** The reason where `/proc` is missing: only files that lie in `folder` itself can be opened then. */
export const noProcReason = '/proc/self/fd is missing';

/** Node does not name O_PATH. Source: include/uapi/asm-generic/fcntl.h of Linux. */
const pathOnly = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const folderFlags = pathOnly | O_DIRECTORY | O_NOFOLLOW;
// Linux ignores O_NONBLOCK beside O_PATH; systems without O_PATH would wait for the other end of a pipe.
const findFlags = pathOnly | O_NOFOLLOW | O_NONBLOCK;

/** The host's troubles, which may pass: they say nothing about the file. */
const passing = new Set([
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EIO',
  'ESTALE',
  'EINTR',
  'ENOSPC',
  'EDQUOT',
]);

/**
 * Opens `names` below `folder`: folders, and an ordinary file at last. Every descriptor is closed at the end. Throws
 * file_refused with RefusalFacts where there is no such file, and what the operating system throws where that may pass.
 */
export async function withConfinedFile<T>(
  folder: string,
  names: readonly string[],
  demand: Demand,
  use: (file: ConfinedFile) => Promise<T>,
): Promise<T> {
  const descriptors = new Descriptors(demand.descriptorsDir);
  try {
    const place = await descend(descriptors, folder, names.slice(0, -1));
    const path = join(place, plainName(names.at(-1) ?? ''));
    const found = await descriptors.open(path, findFlags);
    const before = await found.stat({ bigint: true });
    const rootHandle = await descriptors.open(folder, folderFlags);
    const root = { handle: rootHandle, stat: await rootHandle.stat({ bigint: true }) };
    await assertFits(descriptors, { handle: found, stat: before }, root, demand);
    const handle = await descriptors.reopen(found, path);
    const file = { handle, stat: await handle.stat({ bigint: true }) };
    await assertFits(descriptors, file, root, demand);
    const isSame = file.stat.ino === before.ino && file.stat.dev === before.dev;
    if (!isSame) throw refusal('it was exchanged');
    return await use(file);
  } finally {
    await descriptors.closeAll();
  }
}

export interface ConfinedFolder {
  /** Stays this folder while `use` runs, whatever is put in its place; where `/proc` is missing, its ordinary path. */
  readonly path: string | Buffer;
  /** Whether the path still is this folder, and no link: to be asked right before each use of it. */
  readonly isInPlace: () => boolean;
}

/**
 * Finds `names` below `folder`, or the folder itself, without following links from there on. Throws as withConfinedFile.
 * A path may be of bytes: names in a folder need not be text.
 */
export async function withConfinedFolder<T>(
  folder: string | Buffer,
  names: readonly string[],
  use: (found: ConfinedFolder) => Promise<T>,
): Promise<T> {
  const descriptors = new Descriptors();
  try {
    if (!(await descriptors.areThere())) return await use(ordinaryFolder(folder, names));
    const path =
      names.length === 0
        ? descriptors.pathOf(await descriptors.open(folder, folderFlags))
        : await descend(descriptors, folder.toString(), names);
    return await use({ path, isInPlace: () => true });
  } finally {
    await descriptors.closeAll();
  }
}

function ordinaryFolder(folder: string | Buffer, names: readonly string[]): ConfinedFolder {
  const path = names.length === 0 ? folder : join(folder.toString(), ...names.map(plainName));
  const isInPlace = (): boolean =>
    lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isInPlace()) throw refusal('it is no folder');
  return { path, isInPlace };
}

/** The path below which the next name is opened. */
async function descend(
  descriptors: Descriptors,
  folder: string,
  names: readonly string[],
): Promise<string> {
  let place = folder;
  for (const name of names) {
    const handle = await descriptors.open(join(place, plainName(name)), folderFlags);
    place = descriptors.pathOf(handle);
  }
  return place;
}

/** A name of a single entry. Lone surrogates are refused: they would be opened as another name, with U+FFFD in it. */
function plainName(name: string): string {
  const isPlain =
    name !== '' && name !== '.' && name !== '..' && !/[/\0]|\p{Surrogate}/u.test(name);
  if (!isPlain) throw refusal('it is not a plain file name');
  return name;
}

async function assertFits(
  descriptors: Descriptors,
  { handle, stat }: ConfinedFile,
  root: ConfinedFile,
  { isOwn, agentUid }: Demand,
): Promise<void> {
  if (!stat.isFile()) throw refusal(`it is ${kindOf(stat)}`);
  if (isOwn === true) {
    if (stat.nlink !== 1n) throw refusal(`it has ${stat.nlink} names`);
    const isAgents = stat.uid === root.stat.uid || Number(stat.uid) === agentUid;
    if (!isAgents) throw refusal(`it belongs to uid ${stat.uid}`);
  }
  // Files of an overlay may have another device than its folders; the mount tells then.
  if (stat.dev === root.stat.dev) return;
  const mountId = await descriptors.findMountId(handle);
  if (mountId === undefined || mountId !== (await descriptors.findMountId(root.handle))) {
    throw refusal('it lies on another device than its folder');
  }
}

function kindOf(stat: BigIntStats): string {
  if (stat.isSymbolicLink()) return 'a link';
  if (stat.isDirectory()) return 'a folder';
  if (stat.isFIFO()) return 'a pipe';
  return stat.isSocket() ? 'a socket' : 'a device';
}

function refusal(reason: string, cause?: unknown): BerthError {
  const facts: RefusalFacts = { reason, errno: errnoOf(cause) ?? null };
  return new BerthError('file_refused', 'There is no ordinary file to be opened.', {
    cause,
    facts: { ...facts },
  });
}

/** The descriptors of one opening. */
class Descriptors {
  readonly #dir: string;
  readonly #open: FileHandle[] = [];

  constructor(dir = '/proc/self/fd') {
    this.#dir = dir;
  }

  async open(path: string | Buffer, flags: number): Promise<FileHandle> {
    try {
      const handle = await open(path, flags);
      this.#open.push(handle);
      return handle;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined || passing.has(errno)) throw error;
      const isBelow = path.toString('latin1').startsWith(`${this.#dir}/`);
      if (isBelow && !(await this.areThere())) throw refusal(noProcReason, error);
      throw refusal(`it cannot be opened (${errno})`, error);
    }
  }

  /** The same file for reading; by its name where there is no `/proc`. */
  async reopen(found: FileHandle, path: string): Promise<FileHandle> {
    if (await this.areThere()) return await this.open(this.pathOf(found), O_RDONLY | O_NONBLOCK);
    return await this.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  }

  pathOf({ fd }: FileHandle): string {
    return `${this.#dir}/${fd}`;
  }

  async areThere(): Promise<boolean> {
    return await access(this.#dir).then(
      () => true,
      () => false,
    );
  }

  /** Of the mount that the file was opened on. Source: proc_pid_fdinfo(5). */
  async findMountId({ fd }: FileHandle): Promise<string | undefined> {
    const info = await readFile(`${this.#dir}info/${fd}`, 'latin1').catch(() => '');
    return /^mnt_id:\s*(\d+)$/m.exec(info)?.[1];
  }

  async closeAll(): Promise<void> {
    await Promise.all(this.#open.map((handle) => handle.close()));
  }
}
