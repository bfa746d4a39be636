/**
 * Where folders go that are to be deleted: a move is one call, and from then on no container can reach them, so that
 * deleting them may take its time and trust what it sees. Nothing is followed through links, and no path grows: a folder
 * within a folder is moved up before it is emptied.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync } from 'node:fs';
import { chmod, opendir, rename, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../../shared/base/errors.js';
import { delay } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import { withConfinedFolder } from '../files/confined-file.js';

export interface TrashDeps {
  /** On the same file system as what is thrown away; made when missing. */
  readonly dir: string;
  readonly log: Logger;
}

/** After so many, others get their turn. */
const entriesAtOnce = 50;
const pauseMs = 5;

/** A go through the trash. */
interface Work {
  readonly signal: AbortSignal;
  /** Entries deleted or moved up: as long as there are any, another round may bring more. */
  done: number;
  failure: unknown;
}

/** latin1 keeps every byte of a name, also of one that is not text. */
const nameEncoding = 'latin1';

export class Trash {
  readonly #deps: TrashDeps;

  constructor(deps: TrashDeps) {
    this.#deps = deps;
  }

  /** As moveToTrash. */
  take(path: string | Buffer): boolean {
    return moveToTrash(this.#deps.dir, path);
  }

  /** Deletes what is here, entry by entry. Never rejects: what cannot be deleted stays for the next time. */
  async empty(signal: AbortSignal): Promise<void> {
    const { dir, log } = this.#deps;
    const work: Work = { signal, done: 0, failure: undefined };
    for (let before = -1; work.done > before && !signal.aborted;) {
      before = work.done;
      work.failure = undefined;
      await this.#deleteIn(Buffer.from(dir), work, 'top');
    }
    if (work.done > 0) log.debug({ entries: work.done }, 'trash emptied');
    if (work.failure !== undefined) log.warn({ err: work.failure, dir }, 'trash not emptied');
  }

  async #deleteIn(dir: Buffer, work: Work, level: 'top' | 'below'): Promise<void> {
    try {
      for await (const entry of await opendir(dir, { encoding: nameEncoding })) {
        if (work.signal.aborted) return;
        await this.#delete(childOf(dir, entry.name), entry.isDirectory() ? level : 'file', work);
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') work.failure = error;
    }
  }

  async #delete(path: Buffer, kind: 'top' | 'below' | 'file', work: Work): Promise<void> {
    try {
      if (kind === 'file') await unlink(path);
      else await this.#deleteFolder(path, kind, work);
      work.done += 1;
      if (work.done % entriesAtOnce === 0) await delay(pauseMs, work.signal);
    } catch (error) {
      work.failure = error;
    }
  }

  async #deleteFolder(path: Buffer, level: 'top' | 'below', work: Work): Promise<void> {
    await withConfinedFolder(path, [], async (folder) => {
      // Its entry `..` changes with a move, so that it must be writable itself.
      await chmod(folder.path, 0o700);
      if (level === 'below') await rename(path, newPathIn(this.#deps.dir));
      else await this.#deleteIn(Buffer.from(folder.path), work, 'below');
    });
    if (level === 'top') await rmdir(path);
  }
}

/** Moves a file or folder there; false where there is none. The path to it must be out of a container's reach. */
export function moveToTrash(dir: string, path: string | Buffer): boolean {
  try {
    renameSync(path, newPathIn(dir));
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  try {
    renameSync(path, newPathIn(dir));
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

function newPathIn(dir: string): string {
  return join(dir, `${Date.now().toString(36)}-${process.pid}-${randomUUID()}`);
}

/** The path of a name that came in nameEncoding. */
export function childOf(dir: Buffer, name: string): Buffer {
  return Buffer.concat([dir, Buffer.from('/'), Buffer.from(name, nameEncoding)]);
}
