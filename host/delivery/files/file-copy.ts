/** Copies of files that containers send, in a folder of the host's own. */
import type { BigIntStats } from 'node:fs';
import { lstat, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../../shared/base/errors.js';

/** The facts that a copy is known by, besides its name. */
export type CopiedFrom = Pick<BigIntStats, 'size' | 'mtimeNs'>;

const chunkBytes = 1024 ** 2;

/** Times are written as floating-point seconds, which are not exact. In nanoseconds. */
const timeTolerance = 1_000_000n;

/**
 * Copies the first `from.size` bytes, or fewer where the file has become shorter; what it grows by meanwhile is left out.
 * `target` appears when it is complete, with the source's time of writing. `draft`: a name beside its folder that nothing
 * else uses.
 */
export async function copyContents(
  source: FileHandle,
  from: CopiedFrom,
  target: string,
  draft: string,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  try {
    const output = await open(draft, 'w', 0o600);
    try {
      await copyBytes(source, output, Number(from.size));
      const seconds = Number(from.mtimeNs) / 1e9;
      await output.utimes(seconds, seconds);
    } finally {
      await output.close();
    }
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Whether `target` is a complete copy of a file that has not changed since. */
export async function isCopyOf(target: string, from: CopiedFrom): Promise<boolean> {
  try {
    const copy = await lstat(target, { bigint: true });
    const differsBy = copy.mtimeNs - from.mtimeNs;
    const isAsOld = -timeTolerance < differsBy && differsBy < timeTolerance;
    return copy.isFile() && copy.size === from.size && isAsOld;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function copyBytes(source: FileHandle, output: FileHandle, length: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(length, chunkBytes));
  for (let position = 0; position < length;) {
    const wanted = Math.min(buffer.length, length - position);
    const { bytesRead } = await source.read(buffer, 0, wanted, position);
    if (bytesRead === 0) return;
    await output.writeFile(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}
