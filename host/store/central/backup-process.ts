import { execFile } from 'node:child_process';
import { BerthError } from '../../../shared/base/errors.js';

export interface BackupProcessPaths {
  /** The process's program. */
  readonly script: string;
  readonly centralDb: string;
}

/**
 * Copies central.db to `path`, an empty file, in a process of its own, while the database is used. Rejects with
 * io_failed, and ends the process, when the signal aborts.
 */
export function copyInProcess(
  { script, centralDb }: BackupProcessPaths,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { env: {}, signal, killSignal: 'SIGKILL' } as const;
    execFile(process.execPath, [script, centralDb, path], options, (cause, _stdout, stderr) => {
      if (cause === null) {
        resolve();
        return;
      }
      const reason = stderr === '' ? 'its process ended early' : stderr;
      reject(new BerthError('io_failed', `The copy was not made: ${reason}`, { cause }));
    });
  });
}
