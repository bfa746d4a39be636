/**
 * Gives root's files in an agent's folder to the agent. Who writes to that folder may exchange its entries meanwhile, or have
 * linked a file there that is root's for a reason: what is given is the very thing that was judged, found without opening it.
 */
import { constants, existsSync } from 'node:fs';
import { chown, lchown, lstat, open, readdir } from 'node:fs/promises';
import { errnoOf } from '../../shared/base/errors.js';
import { pathOnly } from './confined-file.js';

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Gives each entry of a folder that is root's: a folder, a link as such, or a file with one name. The rest stays. */
export async function giveEntries(dir: string, owner: Owner): Promise<void> {
  // Names need not be text.
  for (const name of await readdir(dir, 'buffer')) {
    const path = Buffer.concat([Buffer.from(`${dir}/`), name]);
    try {
      await giveEntry(path, owner);
    } catch (error) {
      // An agent that runs has taken it away.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}

async function giveEntry(path: Buffer, { uid, gid }: Owner): Promise<void> {
  if (!existsSync('/proc/self/fd')) {
    if (isToBeGiven(await lstat(path))) await lchown(path, uid, gid);
    return;
  }
  const entry = await open(path, pathOnly | constants.O_NOFOLLOW);
  try {
    if (isToBeGiven(await entry.stat())) await chown(`/proc/self/fd/${entry.fd}`, uid, gid);
  } finally {
    await entry.close();
  }
}

interface EntryStat {
  readonly uid: number;
  readonly nlink: number;
  isDirectory(): boolean;
}

/** A file with a second name may be one of the host's, linked there by somebody else. */
function isToBeGiven(stat: EntryStat): boolean {
  return stat.uid === 0 && (stat.isDirectory() || stat.nlink === 1);
}
