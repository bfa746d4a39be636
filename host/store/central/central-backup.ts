/** Backups of central.db: their names, which of them stay, and when the next one is due. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isoAt } from '../../../shared/base/clock.js';
import { BerthError } from '../../../shared/base/errors.js';
import { makePrivately } from '../../../shared/base/private-file.js';
import { openDatabase, type Db } from '../../../shared/base/sqlite/sqlite.js';

export interface Backup {
  readonly path: string;
  /** When it was made, by the clock of that moment; epoch milliseconds. */
  readonly madeAtMs: number;
}

const keptBackups = 7;
export const backupEveryMs = 24 * 60 * 60 * 1_000;

/** The newest last. A backup from a time that has not come yet was made under a wrong clock: it counts as the oldest. */
export function listBackups(backupsDir: string, nowMs: number): readonly Backup[] {
  if (!existsSync(backupsDir)) return [];
  const found = readdirSync(backupsDir).flatMap((name) => {
    const madeAtMs = parseName(name);
    return madeAtMs === undefined ? [] : [{ path: join(backupsDir, name), madeAtMs }];
  });
  const rank = ({ madeAtMs }: Backup): number => (madeAtMs > nowMs ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b) || a.madeAtMs - b.madeAtMs);
}

export function findNewestBackup(backupsDir: string, nowMs: number): Backup | undefined {
  return listBackups(backupsDir, nowMs).at(-1);
}

/** How long ago the last one was made, in milliseconds; undefined where one is due. */
export function findBackupAgeMs(backups: readonly Backup[], nowMs: number): number | undefined {
  const ages = backups.map(({ madeAtMs }) => nowMs - madeAtMs);
  const recent = ages.filter((ageMs) => ageMs >= 0 && ageMs < backupEveryMs);
  return recent.length === 0 ? undefined : Math.min(...recent);
}

/** At once, holding this thread: for a moment in which nobody waits. Returns its path. */
export function backUpNow(db: Db, backupsDir: string, nowMs: number): string {
  const draft = prepareDraft(backupsDir);
  db.prepare('VACUUM INTO ?').run(draft);
  return keep(draft, backupsDir, nowMs);
}

/** `copy` writes the database to the path that it is given. Throws database_corrupt for a copy that is damaged. */
export async function backUp(
  copy: (path: string) => Promise<void>,
  backupsDir: string,
  nowMs: number,
): Promise<string> {
  const draft = prepareDraft(backupsDir);
  await copy(draft);
  await assertWhole(draft);
  return keep(draft, backupsDir, nowMs);
}

/** Under another name until it is whole: the newest backup is what a person is told to go back to. */
function prepareDraft(backupsDir: string): string {
  mkdirSync(backupsDir, { recursive: true, mode: 0o700 });
  const draft = join(backupsDir, 'unfinished');
  for (const end of ['', '-journal', '-wal', '-shm']) rmSync(`${draft}${end}`, { force: true });
  makePrivately(draft);
  return draft;
}

function keep(draft: string, backupsDir: string, nowMs: number): string {
  const path = join(backupsDir, nameFor(nowMs));
  renameSync(draft, path);
  for (const old of listBackups(backupsDir, nowMs).slice(0, -keptBackups)) {
    rmSync(old.path, { force: true });
  }
  return path;
}

/** Else damaged copies would take the places of good ones. A table at a time: nobody waits for the whole. */
async function assertWhole(path: string): Promise<void> {
  const db = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
  try {
    // The backup is one file, with nothing beside it.
    db.pragma('journal_mode = DELETE');
    const tables = db
      .prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'table'`)
      .pluck()
      .all();
    for (const table of tables) {
      await new Promise((resolve) => setImmediate(resolve));
      const found = db.pragma(`quick_check("${table.replaceAll('"', '""')}")`, { simple: true });
      if (found === 'ok') continue;
      throw new BerthError('database_corrupt', `The backup's table ${table} is damaged.`, {
        next: 'The central database itself may be damaged. Keep the backups that there are, and see `berth logs`.',
        facts: { path, table },
      });
    }
  } finally {
    db.close();
  }
}

/** Sorts by time. */
function nameFor(nowMs: number): string {
  return `central-${isoAt(nowMs).replaceAll(':', '-')}.db`;
}

/** Undefined for what is none of ours. */
function parseName(name: string): number | undefined {
  const [, day, hour, minute, rest] =
    /^central-(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3}Z)\.db$/.exec(name) ?? [];
  if (day === undefined) return undefined;
  const madeAtMs = Date.parse(`${day}T${hour}:${minute}:${rest}`);
  return Number.isNaN(madeAtMs) ? undefined : madeAtMs;
}
