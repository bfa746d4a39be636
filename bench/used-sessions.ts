/** Fills a home with sessions that seem used, because each is a copy of one that was. */
import { chown, copyFile, lstat, mkdir, readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { withDatabase, type Db } from '../shared/base/sqlite/sqlite.js';
import type { BenchHome } from './bench-home.js';
import { Chat } from './chat.js';
import { copyRow } from './copied-rows.js';

const templateChat = 'template';
const copiesAtOnce = 16;

/** Ends with `count` idle sessions more, their folders and databases included, and without a daemon. */
export async function fillWithSessions(
  home: BenchHome,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  await home.start();
  {
    await using wire = await home.wire();
    const chat = new Chat(wire, templateChat);
    for (let i = 0; i < 5; i += 1) await chat.exchange(`what was said ${i}`);
  }
  const templateId = home.sessionOf(templateChat);
  await home.stop();
  const path = join(home.home, 'data', 'central.db');
  withDatabase(path, { mode: 'write', busyTimeoutMs: 1_000 }, (db) => {
    db.transaction(() => {
      copyCentralRows(db, templateId, count);
    })();
  });
  const entries = await listEntries(home.sessionDir(templateId));
  let next = 1;
  const copyOnAndOn = async (): Promise<void> => {
    while (next <= count && !signal.aborted) {
      const id = `s-copy-${next}`;
      next += 1;
      await copyEntries(entries, home.sessionDir(templateId), home.sessionDir(id));
    }
  };
  await Promise.all(Array.from({ length: copiesAtOnce }, copyOnAndOn));
  signal.throwIfAborted();
  await untilWritten();
}

/** Files that were made in bulk are on their way to the disk for a while, and would hold up the next writer. */
export async function untilWritten(): Promise<void> {
  await execa('sync');
}

/** A chat, a wiring, a session and what was received, for each copy; times are spread over the last months. */
function copyCentralRows(db: Db, templateId: string, count: number): void {
  const chatId = String(
    db.prepare('SELECT messaging_group_id FROM sessions WHERE id = ?').pluck().get(templateId),
  );
  const agoIso = `strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || (n * 600) || ' seconds')`;
  const ofChat = { column: 'messaging_group_id', value: chatId };
  const newChat = `'mg-copy-' || n`;
  copyRow(db, 'messaging_groups', { column: 'id', value: chatId }, count, {
    id: newChat,
    platform_id: `'copy-' || n`,
  });
  copyRow(db, 'messaging_group_agents', ofChat, count, {
    id: `'w-copy-' || n`,
    messaging_group_id: newChat,
  });
  copyRow(db, 'sessions', { column: 'id', value: templateId }, count, {
    id: `'s-copy-' || n`,
    messaging_group_id: newChat,
    last_active: agoIso,
  });
  copyRow(db, 'received_messages', ofChat, count, {
    messaging_group_id: newChat,
    message_id: `original.message_id || '-' || n`,
    verdicts: `replace(original.verdicts, '${templateId}', 's-copy-' || n)`,
    received_at: agoIso,
  });
  // Each has its turn of upkeep once a day.
  db.prepare(
    `UPDATE due_items SET due_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+' || (abs(random()) % 86400) || ' seconds')
     WHERE session_id LIKE 's-copy-%'`,
  ).run();
}

interface Entry {
  /** Below the session's folder; '' is the folder itself. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly writtenAt: Date;
}

async function listEntries(folder: string, path = ''): Promise<readonly Entry[]> {
  const stat = await lstat(join(folder, path));
  const { uid, gid, mtime: writtenAt } = stat;
  const facts = { path, uid, gid, writtenAt };
  if (!stat.isDirectory()) return stat.isFile() ? [{ ...facts, isFolder: false }] : [];
  const names = await readdir(join(folder, path));
  const below = await Promise.all(names.map((name) => listEntries(folder, join(path, name))));
  return [{ ...facts, isFolder: true }, ...below.flat()];
}

async function copyEntries(entries: readonly Entry[], from: string, to: string): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  for (const { path, isFolder, uid, gid, writtenAt } of entries) {
    const target = join(to, path);
    if (isFolder) await mkdir(target);
    else {
      await copyFile(join(from, path), target);
      // Files newer than central.db would be read after the start, as after a restore.
      await utimes(target, writtenAt, writtenAt);
    }
    if (isRoot) await chown(target, uid, gid);
  }
}
