import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';

describe('an inbound.db that somebody has changed', () => {
  it.each([
    ['into WAL mode', 'PRAGMA journal_mode = WAL'],
    [
      'with a trigger that keeps messages out',
      'CREATE TRIGGER closed BEFORE INSERT ON messages_in BEGIN SELECT raise(IGNORE); END',
    ],
    ['with an index that keeps messages out', 'CREATE UNIQUE INDEX one ON messages_in (kind)'],
    ['by dropping an index', 'DROP INDEX idx_messages_in_open'],
  ])('%s is put right, and the message is answered', async (_, sql) => {
    await using home = new BerthHome('process');
    expect((await home.berth('chat', 'before')).stdout).toBe('echo: before');
    const [session] = await home.json<{ id: string }[]>('sessions', 'list');
    execFileSync('sqlite3', [join(home.sessionDir(session?.id ?? ''), 'in', 'inbound.db'), sql]);
    expect((await home.berth('chat', 'after')).stdout).toBe('echo: after');
    const sessions = await home.json<{ id: string; status: string }[]>('sessions', 'list');
    expect(sessions).toMatchObject([{ id: session?.id, status: 'active' }]);
  });

  it.each([
    ['by a column more', 'ALTER TABLE messages_in ADD COLUMN note TEXT'],
    ['by a table more', 'CREATE TABLE notes (text)'],
    ['to no version', 'PRAGMA user_version = 0'],
  ])('%s is replaced, with a word to the chat', async (_, sql) => {
    await using home = new BerthHome('process');
    expect((await home.berth('chat', 'before')).stdout).toBe('echo: before');
    const [session] = await home.json<{ id: string }[]>('sessions', 'list');
    const id = session?.id ?? '';
    execFileSync('sqlite3', [join(home.sessionDir(id), 'in', 'inbound.db'), sql]);
    await using wire = await home.wire();
    wire.subscribe('local');
    wire.say('after');
    await wire.until(() => wire.replies().includes('echo: after'));
    await wire.until(() => wire.replies().some((text) => text.includes('has been replaced')));
    const { repairs } = await home.json<{ repairs: unknown[] }>('sessions', 'show', id);
    expect(repairs).toMatchObject([{ file: 'inbound.db', action: 'replaced' }]);
  });
});
