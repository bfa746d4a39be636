import { open, stat, type FileHandle } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { errnoOf } from '../../../shared/base/errors.js';

const chunkBytes = 65_536;

/** Reads on in a log file that is written to, rotated by rename, or copied and emptied. */
export class LogTail {
  readonly #path: string;
  #file: { readonly handle: FileHandle; readonly inode: number; offset: number } | undefined;
  #decoder = new StringDecoder('utf8');
  #partial = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** The lines that were completed since the last call. A file that is not there has none. */
  async read(): Promise<readonly string[]> {
    let text = await this.#readOn();
    const inode = await this.#findInode();
    if (inode !== undefined && inode !== this.#file?.inode) {
      // Reads what was still written before the rename.
      text += await this.#readOn();
      await this.close();
      await this.#open();
      text += await this.#readOn();
    }
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    return lines;
  }

  /** A last line that has no end yet. */
  get partial(): string {
    return this.#partial;
  }

  async close(): Promise<void> {
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  async #open(): Promise<void> {
    try {
      const handle = await open(this.#path, 'r');
      this.#file = { handle, inode: (await handle.stat()).ino, offset: 0 };
      this.#decoder = new StringDecoder('utf8');
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  async #findInode(): Promise<number | undefined> {
    try {
      return (await stat(this.#path)).ino;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #readOn(): Promise<string> {
    const file = this.#file;
    if (file === undefined) return '';
    if ((await file.handle.stat()).size < file.offset) file.offset = 0;
    const buffer = Buffer.alloc(chunkBytes);
    let text = '';
    for (;;) {
      const { bytesRead } = await file.handle.read(buffer, 0, chunkBytes, file.offset);
      if (bytesRead === 0) return text;
      file.offset += bytesRead;
      text += this.#decoder.write(buffer.subarray(0, bytesRead));
    }
  }
}
