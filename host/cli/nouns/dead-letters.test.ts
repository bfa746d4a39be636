import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { CommandLine } from '../../../test/fakes/command-line.js';
import { addSession, writeConversation } from '../../../test/fakes/session-files.js';

describe('berth dead-letters', () => {
  let cli: CommandLine;

  beforeEach(() => {
    cli = new CommandLine();
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  function recordDeadLetter(
    sessionId: string,
    direction: 'in' | 'out',
    messageId: string,
    daysAgo = 0,
    reason = 'it failed',
  ): void {
    const createdAt = new Date(Date.now() - daysAgo * 86_400_000).toISOString();
    cli.store((store) => {
      store.deadLetters.insert({ sessionId, direction, messageId, reason, createdAt });
    });
  }

  async function listed(...args: string[]): Promise<readonly string[]> {
    const letters = await cli.json<{ messageId: string }[]>('dead-letters', 'list', ...args);
    return letters.map(({ messageId }) => messageId);
  }

  it('lists them, the newest first, of one way or one session', async () => {
    expect((await cli.run('dead-letters', 'list')).stdout).toBe('Nothing was given up.\n');
    const [one, two] = [addSession(cli), addSession(cli)];
    recordDeadLetter(one, 'in', 'm-old', 2);
    recordDeadLetter(one, 'out', 'o-new', 0);
    recordDeadLetter(two, 'in', 'm-mid', 1);
    expect(await listed()).toEqual(['o-new', 'm-mid', 'm-old']);
    expect(await listed('--direction', 'in')).toEqual(['m-mid', 'm-old']);
    expect(await listed('--session', one)).toEqual(['o-new', 'm-old']);
    expect(await listed('--limit', '1')).toEqual(['o-new']);
    expect((await cli.run('dead-letters', 'list', '--limit', '1')).stdout).toContain('and 2 older');
  });

  it('lists them readably at 80 columns, ids and reasons whole', async () => {
    cli.columns = 80;
    const id = addSession(cli);
    recordDeadLetter(
      id,
      'out',
      'o-01234567890123456',
      3,
      'the platform said so and would not say any more',
    );
    const lines = (await cli.run('dead-letters', 'list')).stdout.trimEnd().split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines.slice(1)).toEqual([
      `o-01234567890123456  out  ${id}  3d ago`,
      '  the platform said so and would not say any more',
    ]);
  });

  it('shows why one was given up, and what it said', async () => {
    const id = addSession(cli);
    writeConversation(cli, id, 2);
    recordDeadLetter(id, 'in', 'm-1');
    recordDeadLetter(id, 'out', 'o-2');
    expect(await cli.json('dead-letters', 'show', 'm-1')).toMatchObject({
      sessionId: id,
      reason: 'it failed',
      message: { who: 'Ada', text: 'message 1' },
    });
    const { stdout } = await cli.run('dead-letters', 'show', id, 'o-2');
    expect(stdout).toMatch(/reason +it failed/);
    expect(stdout).toMatch(/in reply to +m-2/);
    expect(stdout).toContain('Text\n  echo: message 2');
  });

  it('shows the text on its own lines, and lets it move no cursor', async () => {
    const id = addSession(cli);
    writeConversation(cli, id, 1);
    recordDeadLetter(id, 'out', 'o-1');
    const path = join(cli.home, 'data', 'sessions', id, 'out', 'outbound.db');
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      const text = JSON.stringify({ text: '\u001b[2Jone\ntwo' });
      db.prepare('UPDATE messages_out SET content = ?').run(text);
    });
    const { stdout } = await cli.run('dead-letters', 'show', 'o-1');
    expect(stdout).toContain('one\n  two');
    expect(stdout).not.toContain('\u001b');
  });

  it('shows what it knows of one whose message is gone', async () => {
    recordDeadLetter(addSession(cli), 'in', 'm-gone');
    expect(await cli.json('dead-letters', 'show', 'm-gone')).toMatchObject({ message: null });
    expect((await cli.run('dead-letters', 'show', 'm-gone')).stdout).toContain('not in the files');
  });

  it('takes the beginning of an id, and says which it may be where several fit', async () => {
    const [one, two] = [addSession(cli), addSession(cli)];
    recordDeadLetter(one, 'in', 'm-abcdef');
    recordDeadLetter(one, 'in', 'm-abcxyz', 1);
    recordDeadLetter(two, 'in', 'm-abcxyz', 2);
    const show = ['dead-letters', 'show'];
    expect(await cli.json(...show, 'm-abcd')).toMatchObject({ messageId: 'm-abcdef' });
    expect(await cli.json(...show, two, 'm-abcx')).toMatchObject({ sessionId: two });
    expect(await cli.json(...show, `${one}/m-abcxyz`)).toMatchObject({ sessionId: one });
    expect(await cli.json(...show, 'm-abcxyz', '--session', two)).toMatchObject({ sessionId: two });
    const failure = await cli.failure(...show, 'm-abcxyz');
    expect(failure).toMatchObject({ code: 'invalid_input' });
    expect(failure.message).toContain(`${one}/m-abcxyz (in), ${two}/m-abcxyz (in)`);
    expect(await cli.failure(...show, 'm-404404')).toMatchObject({ code: 'not_found' });
  });

  it('leaves a retry for the daemon that starts next', async () => {
    const id = addSession(cli);
    recordDeadLetter(id, 'in', 'm-1');
    recordDeadLetter(id, 'out', 'o-1');
    expect(await cli.json('dead-letters', 'retry', 'm-1')).toMatchObject([
      { sessionId: id, messageId: 'm-1', outcome: 'waiting' },
    ]);
    expect((await cli.run('dead-letters', 'retry', '--all')).stdout).toContain('when the daemon');
    const requests = cli.store((store) => store.requests.listPending());
    expect(requests.map(({ kind }) => kind)).toEqual(['dead-letters.retry', 'dead-letters.retry']);
    expect(JSON.parse(requests[1]!.payload)).toMatchObject({
      letters: expect.arrayContaining([
        { sessionId: id, direction: 'in', messageId: 'm-1' },
        { sessionId: id, direction: 'out', messageId: 'o-1' },
      ]) as unknown,
    });
  });

  it('asks for nothing where nothing was given up', async () => {
    addSession(cli);
    expect(await cli.json('dead-letters', 'retry', '--all')).toEqual([]);
    expect(cli.store((store) => store.requests.listPending())).toEqual([]);
  });

  it.each([
    [['retry']],
    [['retry', 'm-1', '--all']],
    [['purge']],
    [['purge', '--all', '--before', '3']],
    [['purge', '--before', 'soon']],
    [['list', '--direction', 'up']],
  ])('refuses what does not say which: %j', async (args) => {
    recordDeadLetter(addSession(cli), 'in', 'm-1');
    expect((await cli.run('dead-letters', ...args)).exitCode).toBe(2);
    expect(await listed()).toEqual(['m-1']);
  });

  it('forgets those that are named, old ones, or all', async () => {
    const [one, two] = [addSession(cli), addSession(cli)];
    recordDeadLetter(one, 'in', 'm-1', 40);
    recordDeadLetter(one, 'out', 'o-2', 40);
    recordDeadLetter(two, 'in', 'm-3', 20);
    recordDeadLetter(two, 'in', 'm-4');
    const purge = ['dead-letters', 'purge'];
    expect(await cli.json(...purge, 'm-4')).toMatchObject([{ messageId: 'm-4' }]);
    const old = await cli.run(...purge, '--before', '30', '--direction', 'in');
    expect(old.stdout).toBe('Forgot 1 dead letter.\n');
    expect(await listed()).toEqual(['m-3', 'o-2']);
    await cli.run(...purge, '--all', '--session', two);
    expect(await listed()).toEqual(['o-2']);
    expect(await cli.json(...purge, '--all')).toHaveLength(1);
    expect(await listed()).toEqual([]);
  });
});
