/** Recognises what a container may put beside or into outbound.db to harm whoever opens it with SQLite. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { BerthError, errnoOf } from '../../base/errors.js';
import { companionSuffixes, notAFile } from '../../base/sqlite/sqlite.js';

/** Bytes 18 and 19 of the header are 1 where the journal is rolled back, 2 for WAL. Source: sqlite.org/fileformat.html. */
const headerLength = 20;

/**
 * A pipe in the place of a journal would hold up the thread for ever, or keep the file from being opened, and a database in
 * WAL mode makes files beside it, behind links too. Throws database_unreadable or database_corrupt; says nothing of a file
 * that is not there. `ownName`: what people know it by.
 */
export function assertNotHostile(path: string, ownName = path): void {
  const header = readHeader(path);
  const isWhole = header.length === headerLength;
  if (isWhole && (header[18] !== 1 || header[19] !== 1)) {
    throw new BerthError(
      'database_corrupt',
      `${ownName} is not in the journal mode of the protocol.`,
      {
        facts: { path: ownName },
      },
    );
  }
  if (companionSuffixes.some((suffix) => isOdd(`${path}${suffix}`))) throw notAFile(ownName);
}

function isOdd(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isFile() === false;
  } catch (error) {
    // The file cannot be reached, and neither can the database.
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

/** Shorter where the file is, or where there is none, or another kind of thing: whoever opens it says so. */
function readHeader(path: string): Buffer {
  const header = Buffer.alloc(headerLength);
  let length = 0;
  let fd;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fstatSync(fd).isFile()) length = readSync(fd, header, 0, headerLength, 0);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return header.subarray(0, length);
}
