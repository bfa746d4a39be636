import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { CommandLine } from '../../../test/fakes/command-line.js';
import { addSession, writeConversation } from '../../../test/fakes/session-files.js';

describe('berth sessions', () => {
  let cli: CommandLine;

  beforeEach(() => {
    cli = new CommandLine();
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  it('lists them, the last active first, with what people call their parts', async () => {
    addSession(cli, { id: 's-old', lastActive: '2026-01-01T00:00:00.000Z' });
    addSession(cli, { id: 's-new', threadId: 't-1', messagingGroupId: null, status: 'closed' });
    expect(await cli.json('sessions', 'list')).toMatchObject([
      { id: 's-new', agentGroup: 'main', chat: null, threadId: 't-1', status: 'closed' },
      { id: 's-old', agentGroup: 'main', chat: 'terminal:local', threadId: null },
    ]);
    expect(await cli.json('sessions', 'list', '--status', 'active')).toMatchObject([
      { id: 's-old' },
    ]);
  });

  it('lists them readably at 80 columns, ids whole', async () => {
    cli.columns = 80;
    const threadId = 'a thread whose name goes on and on';
    const id = addSession(cli, { threadId, containerStatus: 'running' });
    const lines = (await cli.run('sessions', 'list')).stdout.trimEnd().split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines[1]).toMatch(new RegExp(`^${id} .* terminal:.*…  a thread.*…  active .* 0s ago$`));
  });

  it('calls one waiting that has work to do now and no container', async () => {
    cli.columns = 80;
    const due = { dueAt: '2026-01-31T12:00:00.000Z', attempts: 0 };
    const later = { ...due, dueAt: '2999-01-31T12:00:00.000Z' };
    for (const id of ['s-now', 's-later', 's-runs']) {
      addSession(cli, { id, containerStatus: id === 's-runs' ? 'running' : 'stopped' });
    }
    addSession(cli, { id: 's-over', status: 'closed' });
    cli.store((store) => {
      for (const sessionId of ['s-now', 's-runs', 's-over']) {
        store.dueItems.set({ sessionId, kind: 'wake', ...due });
      }
      store.dueItems.set({ sessionId: 's-later', kind: 'wake', ...later });
    });
    const { stdout } = await cli.run('sessions', 'list');
    expect(stdout).toMatch(/s-now .* active +waiting /);
    expect(stdout).toMatch(/s-later .* active +stopped /);
    expect(stdout).toMatch(/s-runs .* active +running /);
    expect(stdout).toMatch(/s-over .* closed +stopped /);
    expect((await cli.run('sessions', 'show', 's-now')).stdout).toMatch(/container +waiting\n/);
    expect(await cli.json('sessions', 'show', 's-now')).toMatchObject({
      containerStatus: 'stopped',
      waiting: true,
    });
  });

  it('lists prewarmed ones, and says which there are none of', async () => {
    expect((await cli.run('sessions', 'list', '--status', 'warm')).stdout).toBe(
      'No session is warm.\n',
    );
    addSession(cli, { id: 's-warm', status: 'warm', messagingGroupId: null });
    expect(await cli.json('sessions', 'list', '--status', 'warm')).toMatchObject([
      { id: 's-warm' },
    ]);
  });

  it('says so when one to close is closed already', async () => {
    const id = addSession(cli, { id: 's-1' });
    expect((await cli.run('sessions', 'close', id)).stdout).toContain('is closed.');
    expect((await cli.run('sessions', 'close', id)).stdout).toBe(
      'The session s-1 was closed already.\n',
    );
  });

  it('deletes one that has ended, with its files, and no other', async () => {
    const id = addSession(cli, { id: 's-1' });
    const folder = join(cli.home, 'data', 'sessions', id);
    mkdirSync(join(folder, 'in'), { recursive: true });
    expect(await cli.failure('sessions', 'delete', id)).toMatchObject({ code: 'in_use' });
    expect(existsSync(folder)).toBe(true);
    await cli.run('sessions', 'close', id);
    expect((await cli.run('sessions', 'delete', id)).stdout).toBe(
      'Deleted the session s-1 and its files.\n',
    );
    expect(existsSync(folder)).toBe(false);
    expect((await cli.failure('sessions', 'delete', id)).code).toBe('not_found');
  });

  it('deletes none that has not told its chat yet what it gives up', async () => {
    const id = addSession(cli, { id: 's-1', status: 'closed' });
    const dueAt = '2026-01-31T12:00:00.000Z';
    cli.store((store) => {
      store.dueItems.set({ sessionId: id, kind: 'wake', dueAt, attempts: 0 });
    });
    const failure = await cli.failure('sessions', 'delete', id);
    expect(failure).toMatchObject({ code: 'in_use' });
    expect(failure.message).toContain('1 unsettled session (s-1)');
  });

  it('leaves the container of one to the daemon to be restarted', async () => {
    const id = addSession(cli, { id: 's-1' });
    const { stdout } = await cli.run('sessions', 'restart', id);
    expect(stdout).toBe('No daemon runs now, and no container of s-1 either.\n');
  });

  it('shows what one waits for and what was given up', async () => {
    const id = addSession(cli);
    cli.store((store) => {
      const dueAt = '2026-01-31T12:00:00.000Z';
      store.dueItems.set({ sessionId: id, kind: 'wake', dueAt, attempts: 2 });
      const letter = { sessionId: id, direction: 'in', messageId: 'm-1' } as const;
      store.deadLetters.insert({ ...letter, reason: 'it failed', createdAt: dueAt });
    });
    expect(await cli.json('sessions', 'show', id)).toMatchObject({
      id,
      path: join(cli.home, 'data', 'sessions', id),
      dueItems: [{ kind: 'wake', attempts: 2 }, { kind: 'prune' }],
      deadLetters: [{ direction: 'in', messageId: 'm-1', reason: 'it failed' }],
    });
    const { stdout } = await cli.run('sessions', 'show', id);
    expect(stdout).toContain('failed 2 times');
    expect(stdout).toMatch(/Dead letters\n {2}given up .*\n.* in .*m-1 .*it failed/);
  });

  it('shows the newest of very many dead letters, and how many there are', async () => {
    const id = addSession(cli, { id: 's-1' });
    cli.store((store) => {
      for (let n = 10; n < 60; n += 1) {
        const createdAt = `2026-01-31T12:00:${n}.000Z`;
        const letter = { sessionId: id, direction: 'out', messageId: `o-${n}` } as const;
        store.deadLetters.insert({ ...letter, reason: 'it failed', createdAt });
      }
    });
    const { stdout } = await cli.run('sessions', 'show', id);
    expect(stdout.match(/o-\d\d/g)).toHaveLength(20);
    expect(stdout).toContain('o-59');
    expect(stdout).toContain('and 30 older: berth dead-letters list --session s-1');
    const facts = await cli.json<{ deadLetters: unknown[] }>('sessions', 'show', id);
    expect(facts).toMatchObject({ deadLetterCount: 50 });
    expect(facts.deadLetters).toHaveLength(20);
  });

  it('prints both files as one conversation in the order of seq', async () => {
    const id = addSession(cli);
    writeConversation(cli, id, 3);
    const rows = await cli.json<object[]>('sessions', 'messages', id);
    expect(rows).toHaveLength(6);
    expect(rows.slice(0, 4)).toMatchObject([
      { seq: 2, direction: 'in', who: 'Ada', text: 'message 1', status: 'pending' },
      { seq: 3, direction: 'out', who: 'agent', text: 'echo: message 1', status: 'delivered' },
      { seq: 4, direction: 'in', text: 'message 2', content: { text: 'message 2' } },
      { seq: 5, direction: 'out', inReplyTo: 'm-2', status: 'waiting' },
    ]);
    const newest = await cli.json<object[]>('sessions', 'messages', id, '--limit', '3');
    expect(newest).toMatchObject([{ seq: 5 }, { seq: 6 }, { seq: 7 }]);
  });

  it('tells replies that go to another chat', async () => {
    const id = addSession(cli);
    writeConversation(cli, id, 2);
    const path = join(cli.home, 'data', 'sessions', id, 'out', 'outbound.db');
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      const update = db.prepare(
        `UPDATE messages_out SET channel_type = 'terminal', platform_id = ? WHERE id = ?`,
      );
      update.run('local', 'o-1');
      update.run('side', 'o-2');
    });
    const { stdout } = await cli.run('sessions', 'messages', id);
    expect(stdout).toMatch(/ {2}echo: message 1/);
    expect(stdout).toContain('(to terminal:side) echo: message 2');
    expect(await cli.json('sessions', 'messages', id)).toMatchObject([
      { to: null },
      { to: null },
      { to: null },
      { to: 'terminal:side', text: 'echo: message 2' },
    ]);
  });

  it('tells what an action says to somebody', async () => {
    const id = addSession(cli);
    writeConversation(cli, id, 1);
    const asked = { action: 'ask_user_question', parameters: { question: 'Which colour?' } };
    const path = join(cli.home, 'data', 'sessions', id, 'out', 'outbound.db');
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      const change = "UPDATE messages_out SET kind = 'system', content = ? WHERE id = 'o-1'";
      db.prepare(change).run(JSON.stringify(asked));
    });
    const { stdout } = await cli.run('sessions', 'messages', id);
    expect(stdout).toContain('(action ask_user_question) Which colour?');
  });

  it('finds nothing said where a session has no files yet', async () => {
    const id = addSession(cli);
    expect(await cli.json('sessions', 'messages', id)).toEqual([]);
    expect((await cli.run('sessions', 'messages', id)).stdout).toBe('Nothing was said yet.\n');
  });

  it('keeps what a container wrote from moving the cursor or breaking the table', async () => {
    const id = addSession(cli);
    writeConversation(cli, id, 1);
    const evil = JSON.stringify({ text: '\u001b[2J\u0007two\nlines' });
    const path = join(cli.home, 'data', 'sessions', id, 'out', 'outbound.db');
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.prepare('UPDATE messages_out SET content = ?').run(evil);
    });
    const { stdout } = await cli.run('sessions', 'messages', id);
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toContain('two ⏎ lines');
    expect(stdout.trimEnd().split('\n')).toHaveLength(3);
  });

  it('tells what was done to its files', async () => {
    const id = addSession(cli);
    cli.store((store) => {
      store.repairs.settle(id, {
        file: 'outbound.db',
        action: 'rolled-back',
        detail: 'A writer was killed.',
        createdAt: new Date().toISOString(),
      });
    });
    const { stdout } = await cli.run('sessions', 'show', id);
    expect(stdout).toMatch(/Repairs[^]*outbound\.db +rolled-back +A writer was killed\./);
    expect(await cli.json('sessions', 'show', id)).toMatchObject({
      repairs: [{ file: 'outbound.db', action: 'rolled-back' }],
    });
  });

  it('says which file is damaged', async () => {
    const id = addSession(cli);
    writeConversation(cli, id, 1);
    const path = join(cli.home, 'data', 'sessions', id, 'in', 'inbound.db');
    writeFileSync(path, 'no database'.repeat(1_000));
    const failure = await cli.failure('sessions', 'messages', id);
    expect(failure.code).toBe('database_corrupt');
    expect(failure.message).toContain(path);
  });

  it('prints where the files of one lie, and nothing else', async () => {
    const id = addSession(cli);
    const { stdout } = await cli.run('sessions', 'path', id);
    expect(stdout).toBe(`${join(cli.home, 'data', 'sessions', id)}\n`);
  });

  it('closes one: it is due no more, and a second time changes nothing', async () => {
    const id = addSession(cli);
    cli.store((store) => {
      store.dueItems.advance(id, 'wake', '2026-01-31T12:00:00.000Z');
    });
    const { stdout } = await cli.run('sessions', 'close', id);
    expect(stdout).toContain('Messages waited in it');
    const closed = await cli.json('sessions', 'show', id);
    expect(closed).toMatchObject({
      status: 'closed',
      dueItems: [{ kind: 'wake', attempts: 0 }, { kind: 'prune' }],
    });
    expect(await cli.json('sessions', 'close', id)).toMatchObject({ status: 'closed' });
    expect(await cli.json('sessions', 'show', id)).toEqual(closed);
  });
});
