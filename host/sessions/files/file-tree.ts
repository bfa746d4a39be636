/**
 * Goes through a folder that an agent may be writing to, and brings owners and modes to what is needed. Every entry is pinned
 * by a descriptor before it is changed, so that a link or another file that is put in its place meanwhile is not touched;
 * links are changed as links, other file systems and files with a second name are left alone.
 */
import { constants, existsSync, type Dirent, type Stats } from 'node:fs';
import { chmod, lchown, lstat, open, opendir, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../../shared/base/errors.js';

/** A user of the system, by number. */
export interface AgentUser {
  readonly uid: number;
  readonly gid: number;
}

/** The rights that entries of a folder need. */
export interface Need {
  /** The user they are to belong to, and of whom they are taken; undefined: owners stay. */
  readonly owner?: { readonly user: AgentUser; readonly from: (uid: number) => boolean };
  /** Mode bits that a folder, or an ordinary file, must have, unless it belongs to `exceptOf`. */
  readonly folderMode: number;
  readonly fileMode: number;
  readonly exceptOf?: number;
}

export interface TreeLimits {
  /** 0: the folder itself; 1: what lies in it, too. */
  readonly depth: number;
  readonly entries: number;
}

/** An entry that could not be changed. */
export interface Unfit {
  readonly path: string;
  readonly uid: number;
  /** EPERM, EROFS, …; EMLINK: it has a second name. */
  readonly errno: string;
}

export interface TreeReport {
  readonly changed: number;
  readonly unfit: readonly Unfit[];
  /** More lies there than the limits allow to go through. */
  readonly isCut: boolean;
}

/** So many entries are worked on at a time: the event loop and other sessions go on meanwhile. */
const width = 16;
const maxTold = 20;

/** Of a descriptor that only names a file. Source: Linux, include/uapi/asm-generic/fcntl.h. */
const oPath = 0o10000000;
const canPin = process.platform === 'linux' && existsSync('/proc/self/fd');

/**
 * `mayBeLinked`: a file that may have a second name. Throws what reading the folder itself throws; ENOTDIR or ELOOP where it is
 * no folder.
 */
export async function fitTree(
  root: string,
  need: Need,
  limits: TreeLimits,
  mayBeLinked: (stat: Stats) => boolean = () => false,
): Promise<TreeReport> {
  const walk = new Walk(need, limits, mayBeLinked);
  await walk.begin(root);
  return walk.report();
}

/** Keeps every byte of a name. */
const nameEncoding = 'latin1';

class Walk {
  readonly #need: Need;
  readonly #limits: TreeLimits;
  readonly #mayBeLinked: (stat: Stats) => boolean;
  readonly #unfit: Unfit[] = [];
  #device = 0;
  #seen = 0;
  #changed = 0;
  #isCut = false;

  constructor(need: Need, limits: TreeLimits, mayBeLinked: (stat: Stats) => boolean) {
    this.#need = need;
    this.#limits = limits;
    this.#mayBeLinked = mayBeLinked;
  }

  async begin(root: string): Promise<void> {
    const stat = await lstat(root);
    if (!stat.isDirectory()) throw Object.assign(new Error(`${root} is no folder`), notAFolder);
    this.#device = stat.dev;
    await this.#visit(root, root, 0);
  }

  report(): TreeReport {
    return { changed: this.#changed, unfit: this.#unfit, isCut: this.#isCut };
  }

  /** `name`: how to reach it, through the descriptor of its folder; `path`: how a person calls it. */
  async #visit(name: string | Buffer, path: string, depth: number): Promise<void> {
    try {
      const seen = await lstat(name);
      const goesDown = seen.isDirectory() && depth < this.#limits.depth;
      if (seen.isDirectory() && !goesDown && depth > 1) this.#isCut = true;
      if (!goesDown && !isUnfit(seen, this.#need)) return;
      await this.#pinned(name, seen, async (stat, pinnedName) => {
        if (stat.dev !== this.#device) return;
        if (isUnfit(stat, this.#need)) await this.#fit(pinnedName, path, stat);
        if (stat.isDirectory() && goesDown) await this.#descend(pinnedName, path, depth);
      });
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      // It went away meanwhile, or something else came in its place.
      if (errno !== 'ENOENT' && errno !== 'ENOTDIR') this.#tell(path, -1, errno);
    }
  }

  async #descend(name: string, path: string, depth: number): Promise<void> {
    let batch: Dirent[] = [];
    const work = async (): Promise<void> => {
      const entries = batch;
      batch = [];
      const visit = (entry: Dirent): Promise<void> => {
        // Names need not be text.
        const bytes = Buffer.from(entry.name, nameEncoding);
        const below = Buffer.concat([Buffer.from(`${name}/`), bytes]);
        return this.#visit(below, join(path, bytes.toString()), depth + 1);
      };
      const isLeaf = (entry: Dirent): boolean => entry.isFile() || entry.isSymbolicLink();
      await Promise.all(entries.filter(isLeaf).map(visit));
      // Visits one after the other: each keeps descriptors open while it is gone through.
      for (const entry of entries) if (!isLeaf(entry)) await visit(entry);
    };
    for await (const entry of await opendir(name, { encoding: nameEncoding })) {
      this.#seen += 1;
      if (this.#seen > this.#limits.entries) {
        this.#isCut = true;
        break;
      }
      batch.push(entry);
      if (batch.length === width) await work();
    }
    await work();
  }

  async #fit(name: string, path: string, stat: Stats): Promise<void> {
    if (stat.isFile() && stat.nlink > 1 && !this.#mayBeLinked(stat)) {
      this.#tell(path, stat.uid, 'EMLINK');
      return;
    }
    try {
      const { owner } = this.#need;
      if (owner?.from(stat.uid) === true) {
        if (stat.isSymbolicLink() && !canPin) await lchown(name, owner.user.uid, owner.user.gid);
        else await chown(name, owner.user.uid, owner.user.gid);
      }
      const missing = missingMode(stat, this.#need);
      if (missing !== 0) await chmod(name, (stat.mode & 0o7777) | missing);
      this.#changed += 1;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      this.#tell(path, stat.uid, errno);
    }
  }

  #tell(path: string, uid: number, errno: string): void {
    if (this.#unfit.length < maxTold) this.#unfit.push({ path, uid, errno });
  }

  /** Without /proc the path itself is used: nothing can be pinned there. */
  async #pinned(
    name: string | Buffer,
    seen: Stats,
    use: (stat: Stats, pinnedName: string) => Promise<void>,
  ): Promise<void> {
    if (!canPin) {
      await use(seen, name.toString());
      return;
    }
    const file = await open(name, oPath | constants.O_NOFOLLOW);
    try {
      await use(await file.stat(), `/proc/self/fd/${file.fd}`);
    } finally {
      await file.close();
    }
  }
}

const notAFolder = { code: 'ENOTDIR' };

/** Devices, pipes and sockets are nobody's business. */
function isUnfit(stat: Stats, need: Need): boolean {
  if (!stat.isDirectory() && !stat.isFile() && !stat.isSymbolicLink()) return false;
  return need.owner?.from(stat.uid) === true || missingMode(stat, need) !== 0;
}

function missingMode(stat: Stats, need: Need): number {
  if (stat.uid === need.exceptOf || stat.isSymbolicLink()) return 0;
  const isProgram = stat.isFile() && (stat.mode & 0o100) !== 0;
  const readers = need.fileMode & 0o444;
  const wanted = stat.isDirectory()
    ? need.folderMode
    : need.fileMode | (isProgram ? readers >> 2 : 0);
  return wanted & ~stat.mode;
}
