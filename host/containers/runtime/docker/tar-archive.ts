import { BerthError } from '../../../../shared/base/errors.js';

export interface TarFile {
  /** Relative, with slashes, at most 100 bytes. */
  readonly path: string;
  readonly bytes: Buffer;
}

const blockLength = 512;

/**
 * Packs files into an uncompressed tar archive (POSIX ustar) in memory. Everything in it belongs to root, is readable
 * by all and has no time, so that the same files always give the same bytes.
 */
export function packTar(files: readonly TarFile[]): Buffer {
  const blocks = files.flatMap(({ path, bytes }) => {
    const padding = Buffer.alloc((blockLength - (bytes.length % blockLength)) % blockLength);
    return [header(path, bytes.length), bytes, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockLength)]);
}

/** Field offsets and lengths: pubs.opengroup.org, pax, "ustar Interchange Format". */
function header(path: string, size: number): Buffer {
  if (Buffer.byteLength(path) > 100) {
    throw new BerthError('internal', `The path ${path} is too long for an archive.`);
  }
  const block = Buffer.alloc(blockLength);
  const octal = (value: number, offset: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
  };
  block.write(path, 0, 'utf8');
  octal(0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write('0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write('        ', 148, 'latin1');
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}
