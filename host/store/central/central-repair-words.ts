/** The steps by which a person gets from a central.db that cannot be used to one that can. Commands as a shell takes them. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isoAt } from '../../../shared/base/clock.js';
import { shellWord } from '../../../shared/base/shell-words.js';
import { findNewestBackup } from './central-backup.js';

export interface CentralFiles {
  readonly centralDb: string;
  readonly backupsDir: string;
}

export function describeReturnToBackup(files: CentralFiles, nowMs: number): string {
  const newest = findNewestBackup(files.backupsDir, nowMs);
  const name = basename(files.centralDb);
  const about = `${name}-wal holds changes that ${name} does not have yet, and ${name}-shm helps to read them: both belong to the file that they lie beside, and are moved away with it. Whoever puts another ${name} beside them damages that one.`;
  const isThere = listThere(files).length > 0;
  if (newest === undefined) {
    return [
      'There is no backup yet. Move the files away to begin afresh:',
      ...commands(['berth stop', ...moveAway(files, nowMs), 'berth start --detach']),
      `Or repair what was moved away with \`sqlite3 FILE .recover\`. ${about}`,
    ].join('\n');
  }
  const madeAt = isoAt(newest.madeAtMs).slice(0, 16).replace('T', ' ');
  return [
    `To go back to the newest backup, of ${madeAt} UTC:`,
    ...commands([
      'berth stop',
      ...moveAway(files, nowMs),
      `cp ${shellWord(newest.path)} ${shellWord(files.centralDb)}`,
      'berth start --detach',
    ]),
    ...(isThere ? [about] : []),
  ].join('\n');
}

/** Nothing is deleted: what was damaged may still be read by somebody. */
function moveAway(files: CentralFiles, nowMs: number): readonly string[] {
  if (listThere(files).length === 0) return [];
  const time = isoAt(nowMs).slice(0, 19).replaceAll(':', '-');
  const target = shellWord(join(dirname(files.centralDb), `damaged-central-${time}`));
  // Not by their names: a daemon that ends may have taken two of them away.
  return [`mkdir ${target}`, `mv ${shellWord(files.centralDb)}* ${target}`];
}

/** central.db, and what SQLite keeps beside it, as far as they are there. */
function listThere({ centralDb }: CentralFiles): readonly string[] {
  return ['', '-wal', '-shm'].map((end) => `${centralDb}${end}`).filter((path) => existsSync(path));
}

function commands(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}
