import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { openDatabase } from '../../shared/base/sqlite/sqlite.js';
import { inboundDbPath } from '../../shared/protocol/workspace.js';
import { RoutingRoom } from '../../test/fakes/routing-room.js';

describe('the router in hard times', () => {
  let room: RoutingRoom;

  beforeEach(() => {
    room = new RoutingRoom();
    const group = room.addAgentGroup({ id: 'ag-1' });
    for (const platformId of ['chat-1', 'chat-2']) {
      room.addWiring(room.addChat({ platformId }), group);
    }
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function pathOf(sessionId: string): string {
    return inboundDbPath(room.folders.inDir(sessionId));
  }

  it.each<[string, (path: string) => void]>([
    [
      'garbage',
      (path): void => {
        writeFileSync(path, 'no database '.repeat(1_000));
      },
    ],
    [
      'nothing',
      (path): void => {
        truncateSync(path);
      },
    ],
    [
      'a folder',
      (path): void => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
  ])(
    'quarantines a session whose inbound.db is %s, and goes on in a fresh one',
    async (_, damage) => {
      await room.router.route(room.event('before'));
      await room.router.route(room.event('elsewhere', { platformId: 'chat-2' }));
      damage(pathOf('s-1'));
      expect(await room.router.route(room.event('after'))).toMatchObject({ kind: 'accepted' });
      expect(room.damaged).toEqual(['s-1']);
      expect(room.store.sessions.find('s-1')).toMatchObject({ status: 'set-aside' });
      expect(room.store.sessions.find('s-1')?.statusReason).not.toBe('');
      expect(room.texts('s-3')).toEqual(['after']);
      expect(room.store.dueItems.find('s-3', 'wake')).toBeDefined();
      await room.router.route(room.event('elsewhere too', { platformId: 'chat-2' }));
      expect(room.texts('s-2')).toEqual(['elsewhere', 'elsewhere too']);
      expect(room.notices()).toMatchObject([{ id: 'aside-s-1', status: 'pending' }]);
    },
  );

  it('takes a message that one of two agents cannot take, and says so in the chat', async () => {
    const chat = room.addChat({ platformId: 'chat-duo' });
    for (const id of ['ag-3', 'ag-2']) room.addWiring(chat, room.addAgentGroup({ id }));
    const event = (text: string) => room.event(text, { platformId: 'chat-duo' });
    await room.router.route(event('before'));
    const [first = ''] = room.sessionsOf('ag-3');
    const [second = ''] = room.sessionsOf('ag-2');
    room.store.dueItems.clear(first, 'wake');
    const lock = openDatabase(pathOf(second), { mode: 'write', busyTimeoutMs: 0 });
    lock.exec('BEGIN IMMEDIATE');
    try {
      const said = event('after');
      expect(await room.router.route(said)).toMatchObject({ kind: 'accepted' });
      expect(await room.router.route(said)).toMatchObject({ kind: 'duplicate' });
    } finally {
      lock.close();
    }
    expect(room.texts(first)).toEqual(['before', 'after']);
    expect(room.texts(second)).toEqual(['before']);
    expect(room.store.dueItems.find(first, 'wake')).toBeDefined();
    expect(room.notices().map(({ id }) => id)).toEqual([expect.stringMatching(/^missed-ag-2-/)]);
  });

  it('answers as a repeat what only the session remembers: an id that was used long ago', async () => {
    const event = room.event('first', { platformMessageId: 'daily' });
    await room.router.route(event);
    room.runnerOf('s-1').complete(room.messagesIn('s-1')[0]!.id);
    room.central((db) => {
      db.exec('DELETE FROM received_messages');
    });
    expect(await room.router.route({ ...event, text: 'second' })).toMatchObject({
      kind: 'duplicate',
    });
    expect(room.texts('s-1')).toEqual(['first']);
  });

  it('does not begin a conversation anew in a folder whose inbound.db was deleted', async () => {
    await room.router.route(room.event('before'));
    room.runnerOf('s-1').say('an old reply');
    rmSync(pathOf('s-1'));
    expect(await room.router.route(room.event('after'))).toMatchObject({ kind: 'accepted' });
    expect(room.damaged).toEqual(['s-1']);
    expect(existsSync(pathOf('s-1'))).toBe(false);
    expect(room.texts('s-2')).toEqual(['after']);
  });

  it('quarantines one session once, however many chats meet it at the same time', async () => {
    const group = room.addAgentGroup({ id: 'ag-2' });
    const events = [];
    for (const platformId of ['chat-3', 'chat-4', 'chat-5']) {
      const chat = room.addChat({ platformId });
      room.addWiring(chat, group, { sessionMode: 'agent-shared' });
      events.push(room.event(platformId, { platformId }));
    }
    await room.router.route(room.event('before', { platformId: 'chat-3' }));
    const [first = ''] = room.sessionsOf('ag-2');
    writeFileSync(pathOf(first), 'no database');
    await Promise.all(events.map((event) => room.router.route(event)));
    expect(new Set(room.damaged)).toEqual(new Set([first]));
    const active = room.store.sessions.list({ status: 'active', agentGroupId: 'ag-2' });
    expect(active).toHaveLength(1);
    expect([...room.texts(active[0]!.id)].sort()).toEqual(['chat-3', 'chat-4', 'chat-5']);
  });

  it('makes a session whose first write was cut short by a crash usable again', async () => {
    const session = room.addSession({ agentGroupId: 'ag-1' });
    room.folders.ensureInbound(session.id);
    writeFileSync(`${pathOf(session.id)}.new`, '');
    expect(await room.router.route(room.event('hi'))).toMatchObject({ kind: 'accepted' });
    expect(room.texts(session.id)).toEqual(['hi']);
    expect(room.damaged).toEqual([]);
  });

  it('rejects what could not be written, and takes it when it comes again', async () => {
    await room.router.route(room.event('before'));
    room.inbound('s-1', (db) => {
      // As a full disk: the same error, at the same place.
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON messages_in
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    const event = room.event('lost?');
    await expect(room.router.route(event)).rejects.toBeInstanceOf(BerthError);
    expect(room.receivedRows()).toHaveLength(1);
    expect(room.posted).toEqual(['s-1']);
    room.inbound('s-1', (db) => {
      db.exec('DROP TRIGGER full');
    });
    expect(await room.router.route(event)).toMatchObject({ kind: 'accepted' });
    expect(room.texts('s-1')).toEqual(['before', 'lost?']);
  });

  it('keeps the order of each chat, while a chat whose file is locked holds up no other', async () => {
    await room.router.route(room.event('0'));
    const lock = openDatabase(pathOf('s-1'), { mode: 'write', busyTimeoutMs: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    const texts = Array.from({ length: 10 }, (_, index) => String(index + 1));
    const locked = texts.map((text) => room.router.route(room.event(text)));
    const free = texts.map((text) => room.router.route(room.event(text, { platformId: 'chat-2' })));
    await Promise.all(free);
    expect(room.texts('s-2')).toEqual(texts);
    lock.close();
    await Promise.all(locked);
    expect(room.texts('s-1')).toEqual(['0', ...texts]);
  });

  it('is drained when everything that was taken is on disk', async () => {
    const outcomes = ['a', 'b', 'c'].map((text) => room.router.route(room.event(text)));
    await room.router.drain();
    expect(room.texts('s-1')).toEqual(['a', 'b', 'c']);
    await Promise.all(outcomes);
    await room.router.drain();
  });
});
