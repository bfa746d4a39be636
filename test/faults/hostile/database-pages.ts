/** Pages of SQLite files that no SQLite would write. Source of the format: sqlite.org/fileformat.html. */

export const pageSize = 4_096;
const headerBytes = 100;
const interiorHeaderBytes = 12;

/** Kinds of pages, as their first byte says. */
const interiorTable = 5;
const interiorIndex = 2;

/**
 * An interior page all of whose `count` children are the same page. `rest`: what follows the child's number in each cell:
 * a rowid for a table, a record for an index. `offset`: 100 on the first page of a file.
 */
export function pageOfOneChild(
  kind: 'table' | 'index',
  child: number,
  count: number,
  rest: Buffer,
  offset = 0,
): Buffer {
  const page = Buffer.alloc(pageSize);
  const cellBytes = 4 + rest.length;
  let cellAt = pageSize;
  for (let index = 0; index < count; index += 1) {
    cellAt -= cellBytes;
    page.writeUInt32BE(child, cellAt);
    rest.copy(page, cellAt + 4);
    page.writeUInt16BE(cellAt, offset + interiorHeaderBytes + 2 * index);
  }
  page[offset] = kind === 'table' ? interiorTable : interiorIndex;
  page.writeUInt16BE(count, offset + 3);
  page.writeUInt16BE(cellAt, offset + 5);
  page.writeUInt32BE(child, offset + 8);
  return page;
}

/** The file's header of a whole database, with another number of pages. */
export function headerOf(database: Buffer, pages: number): Buffer {
  const header = Buffer.from(database.subarray(0, headerBytes));
  header.writeUInt32BE(pages, 28);
  return header;
}

/** A file that begins with this database, in which page `root` is replaced, and to which pages are added. */
export function withPages(
  database: Buffer,
  root: number,
  rootPage: Buffer,
  added: readonly Buffer[],
): Buffer {
  const pages = database.length / pageSize;
  const bytes = Buffer.concat([database, ...added]);
  rootPage.copy(bytes, (root - 1) * pageSize);
  headerOf(database, pages + added.length).copy(bytes);
  return bytes;
}
