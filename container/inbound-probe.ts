import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';

/** Tells what can be known of inbound.db without opening it as a database. */
export type InboundState =
  | { readonly kind: 'unchanged' | 'missing' }
  /** The host is in the middle of a transaction: opening the file now would only get in its way. */
  | { readonly kind: 'committing' }
  /** `version`: undefined where it cannot be told. */
  | { readonly kind: 'changed'; readonly version: string | undefined };

/**
 * The place where SQLite counts the transactions that have changed a file. Source: sqlite.org/fileformat2.html, "File
 * change counter".
 */
const counterOffset = 24;
const counterBytes = 4;

/** Keeps idle polling cheap: inbound.db is opened as a database only when it has changed. */
export class InboundProbe {
  readonly path: string;
  #seenVersion: string | undefined;

  constructor(path: string) {
    this.path = path;
  }

  examine(): InboundState {
    if (statSync(`${this.path}-journal`, { throwIfNoEntry: false }) !== undefined) {
      return { kind: 'committing' };
    }
    const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return { kind: 'missing' };
    const counter = readCounter(this.path);
    if (counter === undefined) return { kind: 'changed', version: undefined };
    // A file time alone may be too coarse to tell two commits apart.
    const version = `${stat.ino}:${stat.size}:${stat.mtimeNs}:${counter}`;
    return version === this.#seenVersion ? { kind: 'unchanged' } : { kind: 'changed', version };
  }

  /**
   * Everything in the file has been read, as it stood when `examine` gave this version. If the version is another one
   * now, the old one was of a transaction that was taken back, or something has been written since: then it counts as
   * not read.
   */
  markSeen(version: string | undefined): void {
    const now = this.examine();
    if (now.kind === 'changed' && now.version === version) this.#seenVersion = version;
  }
}

/**
 * Undefined where there is none. To be called while this process has no database open on the file: closing a descriptor gives up
 * all locks that the process holds on it. Source: sqlite.org/howtocorrupt.html, section 2.2.
 */
function readCounter(path: string): number | undefined {
  const bytes = Buffer.alloc(counterBytes);
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const count = readSync(fd, bytes, 0, counterBytes, counterOffset);
    return count === counterBytes ? bytes.readUInt32BE() : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
