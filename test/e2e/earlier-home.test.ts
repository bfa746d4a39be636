/** A home that the version before has left goes on with this one, and not the other way round. */
import { cpSync, existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { listPending, readMigrations } from '../../shared/base/sqlite/migrate.js';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import { BerthHome, mainScript } from '../fakes/berth-home.js';

const root = join(dirname(mainScript), '..', '..');
const fixture = join(root, 'test', 'fixtures', 'home-0.1.0-874d13a');

/** The last migration of central.db that the version before knows. */
const lastBefore = 3;

interface Said {
  readonly direction: string;
  readonly text: string;
  readonly status: string;
}

function copyHome(): BerthHome {
  const folder = mkdtempSync(join(tmpdir(), 'berth-earlier-'));
  for (const name of ['data', 'groups']) {
    cpSync(join(fixture, name), join(folder, name), { recursive: true });
  }
  return new BerthHome('process', {}, { home: folder });
}

it('goes on with the conversations, the open message, the task and the dead letter', async () => {
  await using home = copyHome();
  await home.start();
  await using wire = await home.wire();
  wire.subscribe('local');
  await wire.until(() => wire.replies('local').includes('echo: slow'));
  wire.say('and now?', { id: 'six' });
  await wire.until(() => wire.replies('local').includes('echo: and now?'));
  expect(wire.replies('local')).toEqual(['echo: slow', 'echo: and now?']);

  const sessions = await home.json<{ id: string; status: string }[]>('sessions', 'list');
  expect(sessions.map(({ status }) => status)).toEqual(['active', 'active']);
  expect(readdirSync(join(home.home, 'data', 'sessions')).sort()).toEqual(
    sessions.map(({ id }) => id).sort(),
  );
  expect(await home.json('tasks', 'list')).toMatchObject([
    { text: 'water the plants', recurrence: '0 0 1 1 *', timeZone: 'UTC' },
  ]);
  expect(await home.json('dead-letters', 'list')).toMatchObject([
    { direction: 'in', reason: 'The message asked to fail.' },
  ]);
  // Backed up before it was migrated, and nothing to say about it.
  expect(readdirSync(join(home.home, 'data', 'backups'))).toHaveLength(1);
  expect(await home.json('status')).toMatchObject({ remarks: [], problem: null });
});

it('takes no message a second time, and knows what was said before', async () => {
  await using home = copyHome();
  await home.start();
  await using wire = await home.wire();
  wire.say('hello', { id: 'one' });
  await wire.until(() => wire.of('ack').length === 1);
  expect(wire.of('ack')).toMatchObject([{ id: 'one', duplicate: true }]);
  await wire.until(() => wire.replies('local').includes('echo: slow'));
  const chat = await home.json<{ id: string; messagingGroupId: string }[]>('sessions', 'list');
  const texts: string[] = [];
  for (const { id } of chat) {
    const said = await home.json<Said[]>('sessions', 'messages', id);
    texts.push(...said.map(({ text }) => text));
  }
  for (const text of ['hello', 'echo: hello', 'how are you?', 'hi team', '!sleep 3000 slow']) {
    expect(texts.filter((one) => one === text)).toEqual([text]);
  }
  const files = chat.map(({ id }) => join(home.sessionDir(id), 'in', 'inbox'));
  expect(files.filter((path) => existsSync(path))).toHaveLength(1);
});

it('cannot be used by the version before any more, which says so', async () => {
  await using home = copyHome();
  await home.start();
  await home.berth('stop');
  const path = join(home.home, 'data', 'central.db');
  const known = readMigrations(join(root, 'migrations', 'central')).slice(0, lastBefore);
  withDatabase(path, { mode: 'write', busyTimeoutMs: 1_000, journal: 'wal' }, (db) => {
    expect(() => listPending(db, known)).toThrow(
      'The database knows migration 0004-outbound-2.sql, this program does not.',
    );
  });
});
