/** A central.db that is older than the sessions' folders, as after a restore of it alone. */
import { copyFileSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import { BerthHome } from '../fakes/berth-home.js';

interface ListedSession {
  readonly id: string;
  readonly status: string;
}

interface Status {
  readonly remarks: readonly string[];
}

const database = (home: BerthHome): string => join(home.home, 'data', 'central.db');
const backup = (home: BerthHome): string => join(home.home, 'before.db');

/** Makes what was there before, and a central.db of that time beside it. */
async function makeBackup(home: BerthHome): Promise<void> {
  await home.start();
  {
    await using wire = await home.wire();
    wire.say('before', { platformId: 'known', id: 'k-1' });
    await wire.until(() => wire.of('done').length === 1);
  }
  await home.berth('stop');
  copyFileSync(database(home), backup(home));
}

function putBack(home: BerthHome): void {
  for (const suffix of ['-wal', '-shm']) rmSync(`${database(home)}${suffix}`, { force: true });
  copyFileSync(backup(home), database(home));
}

async function planTask(home: BerthHome, platformId: string): Promise<void> {
  const create = ['tasks', 'create', '--chat', `terminal:${platformId}`, '--text', platformId];
  await home.json(...create, '--every', '0 0 1 1 *', '--time-zone', 'Asia/Tokyo');
}

it('answers what was accepted since, runs what was planned, and says so', async () => {
  await using home = new BerthHome('process');
  await makeBackup(home);
  await home.start();
  {
    await using wire = await home.wire();
    wire.say('hello', { platformId: 'newer', id: 'n-1' });
    await wire.until(() => wire.of('done').length === 1);
    for (const platformId of ['known', 'newer']) await planTask(home, platformId);
    wire.say('!sleep 1500 open', { platformId: 'newer', id: 'n-2' });
    wire.say('!sleep 1500 open', { platformId: 'known', id: 'k-2' });
    await wire.until(() => wire.of('ack').length === 3);
  }
  const before = await home.json<ListedSession[]>('sessions', 'list');
  const newer = before.find(({ id }) => !isInBackup(home, id))?.id ?? '';
  await home.crash();
  putBack(home);

  await home.start();
  await using wire = await home.wire();
  for (const platformId of ['known', 'newer']) wire.subscribe(platformId);
  await wire.until(() => wire.replies('newer').length === 1 && wire.replies('known').length === 1);
  const after = await home.json<ListedSession[]>('sessions', 'list');
  expect(after.map(({ id, status }) => [id, status]).sort()).toEqual(
    before.map(({ id, status }) => [id, status]).sort(),
  );
  await expect.poll(async () => taskTexts(home)).toEqual(['known', 'newer']);
  const { remarks } = await home.json<Status>('status');
  expect(remarks).toEqual([expect.stringMatching(new RegExp(`adopted.*${newer}`))]);
  const said = readLog(home).filter((line) => line['sessionId'] === newer);
  const messages = said.map((line) => line['msg']);
  expect(messages).toContain('session adopted from its folder');
  // Its container has outlived the daemon and the row, and goes on with its turn.
  expect(messages).toContain('container adopted');
  expect(messages).not.toContain('container stopped');
  expect(messages).not.toContain('message will be tried again');

  // The platform sends again what it has sent before: known by the same id, though the chat was recorded anew.
  wire.say('hello', { platformId: 'newer', id: 'n-1' });
  await wire.until(() => wire.of('ack').length === 1);
  expect(wire.of('ack')).toMatchObject([{ id: 'n-1', duplicate: true }]);
  wire.say('more', { platformId: 'newer', id: 'n-3' });
  await wire.until(() => wire.replies('newer').includes('echo: more'));
  expect(wire.replies('newer')).toEqual(['echo: open', 'echo: more']);
  expect(wire.replies('known')).toEqual(['echo: open']);

  await home.berth('restart');
  expect(await home.json<Status>('status')).toMatchObject({ remarks: [] });
  expect(await home.json<ListedSession[]>('sessions', 'list')).toHaveLength(before.length);
});

it('keeps as history what has another session in its conversation, and loses nothing of it', async () => {
  await using home = new BerthHome('process');
  await makeBackup(home);
  const [present] = await home.json<ListedSession[]>('sessions', 'list');
  await home.start();
  await home.berth('sessions', 'close', present?.id ?? '');
  {
    await using wire = await home.wire();
    wire.say('!sleep 60000 late', { platformId: 'known', id: 'k-2' });
    wire.say('open', { platformId: 'known', id: 'k-3' });
    await wire.until(() => wire.of('ack').length === 2);
    await planTask(home, 'known');
  }
  await home.crash();
  putBack(home);

  await home.start();
  await using wire = await home.wire();
  wire.subscribe('known');
  await wire.until(() => wire.replies('known').length === 2);
  for (const reply of wire.replies('known')) expect(reply).toContain('could not be handled');
  const sessions = await home.json<ListedSession[]>('sessions', 'list');
  expect(sessions.map(({ status }) => status).sort()).toEqual(['active', 'closed']);
  expect(sessions.find(({ status }) => status === 'active')?.id).toBe(present?.id);
  expect(await home.json('tasks', 'list')).toMatchObject([
    { text: 'known', sessionId: present?.id, timeZone: 'Asia/Tokyo' },
  ]);
  const letters = await home.json<{ messageId: string; text?: string }[]>('dead-letters', 'list');
  expect(letters).toHaveLength(2);
  const { remarks } = await home.json<Status>('status');
  expect(remarks).toEqual([expect.stringContaining('adopted as closed')]);
});

it('names a session whose folder is gone, and goes on with it', async () => {
  await using home = new BerthHome('process');
  await makeBackup(home);
  const [session] = await home.json<ListedSession[]>('sessions', 'list');
  renameSync(home.sessionDir(session?.id ?? ''), join(home.home, 'away'));
  await home.start();
  await expect
    .poll(async () => (await home.json<Status>('status')).remarks)
    .toEqual([expect.stringContaining(session?.id ?? '')]);
  await using wire = await home.wire();
  wire.say('again', { platformId: 'known' });
  await wire.until(() => wire.replies('known').length === 1);
  expect(wire.replies('known')).toEqual(['echo: again']);
});

function readLog(home: BerthHome): readonly Record<string, unknown>[] {
  const lines = readFileSync(join(home.home, 'data', 'logs', 'daemon.log'), 'utf8').trim();
  return lines.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function taskTexts(home: BerthHome): Promise<readonly string[]> {
  const tasks = await home.json<{ text: string }[]>('tasks', 'list');
  return tasks.map(({ text }) => text).sort();
}

function isInBackup(home: BerthHome, sessionId: string): boolean {
  return withDatabase(backup(home), { mode: 'read', busyTimeoutMs: 1_000 }, (db) => {
    const found = db.prepare<[string]>('SELECT 1 FROM sessions WHERE id = ?');
    return found.get(sessionId) !== undefined;
  });
}
