import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { BerthError, errnoOf } from '../../../../shared/base/errors.js';
import { packTar, type TarFile } from './tar-archive.js';

/** The files that an agent image is made of, read once: what was hashed is what is built. */
export interface ImageContext {
  /** SHA-256 over every file's path and bytes, and the base image's name; in hex. */
  readonly inputsHash: string;
  /** The base image's name: the one that was asked for, else the Dockerfile's default. */
  readonly baseImage: string;
  /** A step of the Dockerfile may need the network: it was changed to run something of its own. */
  readonly needsNetwork: boolean;
  readonly files: readonly TarFile[];
}

/** Throws image_failed when the folder is not there or holds no Dockerfile. */
export async function readImageContext(
  folder: string,
  baseImage: string | undefined,
): Promise<ImageContext> {
  const files = await readFiles(folder);
  const dockerfile = files.find(({ path }) => path === 'Dockerfile');
  if (dockerfile === undefined) throw noContext(folder, undefined);
  const base = baseImage ?? /^ARG BASE_IMAGE=(\S+)/m.exec(dockerfile.bytes.toString())?.[1];
  if (base === undefined) {
    throw new BerthError('image_failed', `${folder}/Dockerfile names no default for BASE_IMAGE.`);
  }
  const hash = createHash('sha256').update(base);
  for (const { path, bytes } of files) hash.update(`\0${path}\0${bytes.length}\0`).update(bytes);
  const needsNetwork = hasOwnSteps(dockerfile.bytes.toString());
  return { inputsHash: hash.digest('hex'), baseImage: base, needsNetwork, files };
}

/** The addon's script says itself when it needs the network; of all others nobody knows. */
function hasOwnSteps(dockerfile: string): boolean {
  const steps = dockerfile.split('\n').filter((line) => /^\s*RUN\s/i.test(line));
  return steps.some((line) => line.trim() !== 'RUN sh /opt/berth/fit-addon.sh');
}

export function packContext(context: ImageContext): Buffer {
  return packTar(context.files);
}

async function readFiles(folder: string): Promise<readonly TarFile[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
    return await Promise.all(
      paths.sort().map(async (path) => ({
        path: path.split(sep).join('/'),
        bytes: await readFile(join(folder, path)),
      })),
    );
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') throw noContext(folder, error);
    if (errno === 'EACCES' || errno === 'EPERM') throw closed(folder, error);
    throw error;
  }
}

/** The program was installed by another user, under a umask that keeps it to them. */
function closed(folder: string, cause: unknown): BerthError {
  return new BerthError(
    'image_failed',
    `What the agent image is built from may not be read: ${folder} (permission denied).`,
    { next: `As its owner: chmod -R a+rX ${folder}`, cause },
  );
}

function noContext(folder: string, cause: unknown): BerthError {
  return new BerthError(
    'image_failed',
    `There is nothing to build the agent image from in ${folder}.`,
    {
      next: 'Make it with npm run build.',
      cause,
    },
  );
}
