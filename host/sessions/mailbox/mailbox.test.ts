import { readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasCode } from '../../../shared/base/errors.js';
import { openDatabase, type Db } from '../../../shared/base/sqlite/sqlite.js';
import type { Destination } from '../../../shared/protocol/session-message.js';
import { inboundDbPath, outboundDbPath } from '../../../shared/protocol/workspace.js';
import { TempHome } from '../../../test/fakes/temp-home.js';
import type { Session } from '../../store/sessions.js';
import { Mailbox, type Post } from './mailbox.js';

const routing = { channelType: 'fake', platformId: 'chat-1', threadId: null };

function destination(name: string): Destination {
  return {
    name,
    displayName: null,
    type: 'channel',
    channelType: 'fake',
    platformId: name,
    agentGroupId: null,
  };
}

describe('the mailbox of a session', () => {
  let home: TempHome;
  let session: Session;
  let path: string;

  beforeEach(() => {
    home = new TempHome();
    session = home.addSession();
    path = inboundDbPath(home.folders.inDir(session.id));
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  function message(id: string, more: Partial<Post> = {}): Post {
    const row = {
      id,
      kind: 'task',
      timestamp: home.clock.iso(),
      status: 'pending',
      processAfter: null,
      recurrence: null,
      address: routing,
      content: JSON.stringify({ text: id }),
    } as const;
    return { row, ...more };
  }

  function lock(): Db {
    const db = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    db.exec('BEGIN EXCLUSIVE');
    return db;
  }

  it('is made by the first message, in one piece', async () => {
    await home.mailbox.post(session.id, message('m-1', { routing, destinations: [] }));
    expect(home.messagesIn(session.id)).toMatchObject([{ id: 'm-1', seq: 2, tries: 0 }]);
    expect(readdirSync(home.folders.inDir(session.id))).toEqual(['inbound.db', 'posted']);
  });

  it('takes no notice of what an interrupted first message left behind', async () => {
    home.folders.ensureInbound(session.id);
    writeFileSync(`${path}.new`, 'half a database');
    writeFileSync(`${path}.new-journal`, 'and its journal');
    await home.mailbox.post(session.id, message('m-1'));
    expect(home.messagesIn(session.id)).toHaveLength(1);
    expect(readdirSync(home.folders.inDir(session.id))).toEqual(['inbound.db', 'posted']);
  });

  it('gives even numbers, above every number of the runner that was read', async () => {
    await home.mailbox.post(session.id, message('m-1'));
    const runner = home.runnerOf(session.id);
    runner.sayAll(['o-1', 'o-2', 'o-3', 'o-4']);
    await home.mailbox.readPage(session.id, { after: 0, limit: 1, acksOf: [] });
    await home.mailbox.post(session.id, message('m-2'));
    const outbound = home.outbound(session.id, (db) =>
      db.prepare<[], number>('SELECT seq FROM messages_out').pluck().all(),
    );
    expect(outbound.every((seq) => seq % 2 === 1)).toBe(true);
    expect(Math.max(...outbound)).toBe(7);
    expect(home.messagesIn(session.id).map(({ seq }) => seq)).toEqual([2, 8]);
  });

  it.each([
    ['text', `'zzz'`],
    ['the largest number there is', '9223372036854775807'],
    ['a fraction', '5.5'],
    ['below zero', '-7'],
  ])('is not confused by a number of the runner that is %s', async (_, seq) => {
    await home.mailbox.post(session.id, message('m-1'));
    home.runnerOf(session.id).say('o-1');
    home.outbound(session.id, (db) => {
      db.exec(`INSERT INTO messages_out (id, seq, timestamp, kind, content)
               VALUES ('o-2', ${seq}, '', 'chat', '{}')`);
    });
    await home.mailbox.post(session.id, message('m-2'));
    await home.mailbox.post(session.id, message('m-3'));
    expect(home.messagesIn(session.id).map((row) => row.seq)).toEqual([2, 4, 6]);
  });

  it('takes messages also where outbound.db is damaged', async () => {
    await home.mailbox.post(session.id, message('m-1'));
    home.runnerOf(session.id);
    writeFileSync(outboundDbPath(home.folders.outDir(session.id)), 'no database at all');
    await home.mailbox.post(session.id, message('m-2'));
    expect(home.messagesIn(session.id).map(({ seq }) => seq)).toEqual([2, 4]);
  });

  it('keeps the order of the calls, and takes the same id once', async () => {
    const ids = Array.from({ length: 50 }, (_, index) => `m-${index}`);
    await Promise.all(ids.map((id) => home.mailbox.post(session.id, message(id))));
    await home.mailbox.post(session.id, message('m-7'));
    const rows = home.messagesIn(session.id);
    expect(rows.map(({ id }) => id)).toEqual(ids);
    expect(rows.map(({ seq }) => seq)).toEqual(ids.map((_, index) => 2 * (index + 1)));
  });

  it('waits for a lock that somebody else holds, without holding up the thread', async () => {
    await home.mailbox.post(session.id, message('m-1'));
    const db = lock();
    let isDone = false;
    const posted = home.mailbox.post(session.id, message('m-2')).then(() => {
      isDone = true;
    });
    for (let turn = 0; turn < 20; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(isDone).toBe(false);
    }
    db.close();
    await posted;
    expect(home.messagesIn(session.id)).toHaveLength(2);
  });

  it('gives up with database_busy, and takes the next message when the lock is gone', async () => {
    const deps = home.mailboxDeps;
    const impatient = new Mailbox({ ...deps, lockTimeoutMs: 20 });
    await impatient.post(session.id, message('m-1'));
    const db = lock();
    await expect(impatient.post(session.id, message('m-2'))).rejects.toMatchObject({
      code: 'database_busy',
    });
    await expect(impatient.findStatus(session.id, 'm-1')).rejects.toMatchObject({
      code: 'database_busy',
    });
    db.close();
    await impatient.post(session.id, message('m-3'));
    expect(home.messagesIn(session.id).map(({ id }) => id)).toEqual(['m-1', 'm-3']);
  });

  it('asks once for help against a lock that stays, and takes the message when that has helped', async () => {
    const deps = home.mailboxDeps;
    await home.mailbox.post(session.id, message('m-1'));
    const asked: string[] = [];
    const db = lock();
    const helped = new Mailbox({
      ...deps,
      lockTimeoutMs: 200,
      onBlocked: (sessionId) => {
        asked.push(sessionId);
        // Later than it waits where nobody helps.
        setTimeout(() => db.close(), 250);
        return Promise.resolve({ isHelped: true });
      },
    });
    await helped.post(session.id, message('m-2'));
    expect(asked).toEqual([session.id]);
    expect(home.messagesIn(session.id).map(({ id }) => id)).toEqual(['m-1', 'm-2']);
  });

  it('writes only what differs when it is brought up to date', async () => {
    await home.mailbox.project(session.id, { routing });
    const destinations = [destination('ops'), destination('team')];
    await home.mailbox.post(session.id, message('m-1', { routing, destinations }));
    utimesSync(path, 1, 1);
    await home.mailbox.project(session.id, { routing, destinations });
    expect(statSync(path).mtimeMs).toBe(1_000);
    await home.mailbox.project(session.id, { destinations: [destination('team')] });
    expect(statSync(path).mtimeMs).toBeGreaterThan(1_000);
    home.inbound(session.id, (db) => {
      expect(db.prepare('SELECT name FROM destinations').pluck().all()).toEqual(['team']);
      expect(db.prepare('SELECT platform_id FROM session_routing').pluck().get()).toBe('chat-1');
    });
  });

  it('does not know the status of what cannot be read', async () => {
    expect(await home.mailbox.findStatus(session.id, 'm-1')).toBeUndefined();
    await home.mailbox.post(session.id, message('m-1'));
    expect(await home.mailbox.findStatus(session.id, 'm-1')).toBe('pending');
    expect(await home.mailbox.findStatus(session.id, 'm-2')).toBeUndefined();
    writeFileSync(path, 'no database');
    expect(await home.mailbox.findStatus(session.id, 'm-1')).toBeUndefined();
  });

  it('is not begun anew beside what a runner wrote: that would be delivered again', async () => {
    await home.mailbox.post(session.id, message('m-1'));
    home.runnerOf(session.id).say('o-1');
    rmSync(path);
    await expect(home.mailbox.post(session.id, message('m-2'))).rejects.toSatisfy((error) =>
      hasCode(error, 'database_missing'),
    );
  });
});
