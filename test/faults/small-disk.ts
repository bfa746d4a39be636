/** A disk that is full whenever a test wants it to be: a tmpfs of a few MiB. Only root may mount one. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../shared/base/errors.js';

/** Why there is no such disk here; undefined where there is. */
export function whyNoSmallDisk(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may mount a tmpfs';
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], {
      stdio: 'ignore',
    });
    return undefined;
  } catch {
    return 'a tmpfs cannot be mounted here';
  }
}

export class SmallDisk implements Disposable {
  readonly folder: string;

  constructor(folder: string, megabytes: number) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'tmpfs', folder]);
  }

  /** Down to the last page. */
  fill(): void {
    const file = openSync(this.#filler, 'w');
    const page = Buffer.alloc(4_096);
    try {
      for (;;) writeSync(file, page);
    } catch (error) {
      if (errnoOf(error) !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  get #filler(): string {
    return join(this.folder, 'filler');
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['--lazy', this.folder]);
  }
}
