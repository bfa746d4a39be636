/** Which process holds the daemon's lock, kept beside the lock: central.db tells it too, but may be damaged. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { folderIdentitySchema, identifyFolder } from './home-identity.js';

const schema = z.object({ pid: z.number().int().min(2), home: folderIdentitySchema });

export interface DaemonProcessPaths {
  readonly home: string;
  readonly processFile: string;
}

/** For the holder of the lock. */
export function noteDaemonProcess({ home, processFile }: DaemonProcessPaths, pid: number): void {
  const text = JSON.stringify({ pid, home: identifyFolder(home) });
  writeFileSync(`${processFile}.new`, `${text}\n`, { mode: 0o600 });
  renameSync(`${processFile}.new`, processFile);
}

/** Means something only while the lock is held. Undefined where it is not told, or is about a home that this is a copy of. */
export function findDaemonProcess({ home, processFile }: DaemonProcessPaths): number | undefined {
  try {
    const noted = schema.parse(JSON.parse(readFileSync(processFile, 'utf8')));
    const { device, inode } = identifyFolder(home);
    return noted.home.device === device && noted.home.inode === inode ? noted.pid : undefined;
  } catch {
    return undefined;
  }
}
