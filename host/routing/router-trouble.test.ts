import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { openDatabase } from '../../shared/base/sqlite/sqlite.js';
import { inboundDbPath } from '../../shared/protocol/workspace.js';
import { RoutingSetup } from '../../test/fakes/routing-setup.js';

describe('the router in hard times', () => {
  let setup: RoutingSetup;

  beforeEach(() => {
    setup = new RoutingSetup();
    const group = setup.addAgentGroup({ id: 'ag-1' });
    for (const platformId of ['chat-1', 'chat-2']) {
      setup.addWiring(setup.addChat({ platformId }), group);
    }
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function pathOf(sessionId: string): string {
    return inboundDbPath(setup.folders.inDir(sessionId));
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
      await setup.router.route(setup.event('before'));
      await setup.router.route(setup.event('elsewhere', { platformId: 'chat-2' }));
      damage(pathOf('s-1'));
      expect(await setup.router.route(setup.event('after'))).toMatchObject({ kind: 'accepted' });
      expect(setup.damaged).toEqual(['s-1']);
      expect(setup.store.sessions.find('s-1')).toMatchObject({ status: 'set-aside' });
      expect(setup.store.sessions.find('s-1')?.statusReason).not.toBe('');
      expect(setup.texts('s-3')).toEqual(['after']);
      expect(setup.store.dueItems.find('s-3', 'wake')).toBeDefined();
      await setup.router.route(setup.event('elsewhere too', { platformId: 'chat-2' }));
      expect(setup.texts('s-2')).toEqual(['elsewhere', 'elsewhere too']);
      expect(setup.notices()).toMatchObject([{ id: 'aside-s-1', status: 'pending' }]);
    },
  );

  it('takes a message that one of two agents cannot take, and says so in the chat', async () => {
    const chat = setup.addChat({ platformId: 'chat-duo' });
    for (const id of ['ag-3', 'ag-2']) setup.addWiring(chat, setup.addAgentGroup({ id }));
    const event = (text: string) => setup.event(text, { platformId: 'chat-duo' });
    await setup.router.route(event('before'));
    const [first = ''] = setup.sessionsOf('ag-3');
    const [second = ''] = setup.sessionsOf('ag-2');
    setup.store.dueItems.clear(first, 'wake');
    const lock = openDatabase(pathOf(second), { mode: 'write', busyTimeoutMs: 0 });
    lock.exec('BEGIN IMMEDIATE');
    try {
      const said = event('after');
      expect(await setup.router.route(said)).toMatchObject({ kind: 'accepted' });
      expect(await setup.router.route(said)).toMatchObject({ kind: 'duplicate' });
    } finally {
      lock.close();
    }
    expect(setup.texts(first)).toEqual(['before', 'after']);
    expect(setup.texts(second)).toEqual(['before']);
    expect(setup.store.dueItems.find(first, 'wake')).toBeDefined();
    expect(setup.notices().map(({ id }) => id)).toEqual([expect.stringMatching(/^missed-ag-2-/)]);
  });

  it('answers as a repeat what only the session remembers: an id that was used long ago', async () => {
    const event = setup.event('first', { platformMessageId: 'daily' });
    await setup.router.route(event);
    setup.runnerOf('s-1').complete(setup.messagesIn('s-1')[0]!.id);
    setup.central((db) => {
      db.exec('DELETE FROM received_messages');
    });
    expect(await setup.router.route({ ...event, text: 'second' })).toMatchObject({
      kind: 'duplicate',
    });
    expect(setup.texts('s-1')).toEqual(['first']);
  });

  it('does not begin a conversation anew in a folder whose inbound.db was deleted', async () => {
    await setup.router.route(setup.event('before'));
    setup.runnerOf('s-1').say('an old reply');
    rmSync(pathOf('s-1'));
    expect(await setup.router.route(setup.event('after'))).toMatchObject({ kind: 'accepted' });
    expect(setup.damaged).toEqual(['s-1']);
    expect(existsSync(pathOf('s-1'))).toBe(false);
    expect(setup.texts('s-2')).toEqual(['after']);
  });

  it('quarantines one session once, however many chats meet it at the same time', async () => {
    const group = setup.addAgentGroup({ id: 'ag-2' });
    const events = [];
    for (const platformId of ['chat-3', 'chat-4', 'chat-5']) {
      const chat = setup.addChat({ platformId });
      setup.addWiring(chat, group, { sessionMode: 'agent-shared' });
      events.push(setup.event(platformId, { platformId }));
    }
    await setup.router.route(setup.event('before', { platformId: 'chat-3' }));
    const [first = ''] = setup.sessionsOf('ag-2');
    writeFileSync(pathOf(first), 'no database');
    await Promise.all(events.map((event) => setup.router.route(event)));
    expect(new Set(setup.damaged)).toEqual(new Set([first]));
    const active = setup.store.sessions.list({ status: 'active', agentGroupId: 'ag-2' });
    expect(active).toHaveLength(1);
    expect([...setup.texts(active[0]!.id)].sort()).toEqual(['chat-3', 'chat-4', 'chat-5']);
  });

  it('makes a session whose first write was cut short by a crash usable again', async () => {
    const session = setup.addSession({ agentGroupId: 'ag-1' });
    setup.folders.ensureInbound(session.id);
    writeFileSync(`${pathOf(session.id)}.new`, '');
    expect(await setup.router.route(setup.event('hi'))).toMatchObject({ kind: 'accepted' });
    expect(setup.texts(session.id)).toEqual(['hi']);
    expect(setup.damaged).toEqual([]);
  });

  it('rejects what could not be written, and takes it when it comes again', async () => {
    await setup.router.route(setup.event('before'));
    setup.inbound('s-1', (db) => {
      // As a full disk: the same error, at the same place.
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON messages_in
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    const event = setup.event('lost?');
    await expect(setup.router.route(event)).rejects.toBeInstanceOf(BerthError);
    expect(setup.receivedRows()).toHaveLength(1);
    expect(setup.posted).toEqual(['s-1']);
    setup.inbound('s-1', (db) => {
      db.exec('DROP TRIGGER full');
    });
    expect(await setup.router.route(event)).toMatchObject({ kind: 'accepted' });
    expect(setup.texts('s-1')).toEqual(['before', 'lost?']);
  });

  it('keeps the order of each chat, while a chat whose file is locked holds up no other', async () => {
    await setup.router.route(setup.event('0'));
    const lock = openDatabase(pathOf('s-1'), { mode: 'write', busyTimeoutMs: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    const texts = Array.from({ length: 10 }, (_, index) => String(index + 1));
    const locked = texts.map((text) => setup.router.route(setup.event(text)));
    const free = texts.map((text) =>
      setup.router.route(setup.event(text, { platformId: 'chat-2' })),
    );
    await Promise.all(free);
    expect(setup.texts('s-2')).toEqual(texts);
    lock.close();
    await Promise.all(locked);
    expect(setup.texts('s-1')).toEqual(['0', ...texts]);
  });

  it('is drained when everything that was taken is on disk', async () => {
    const outcomes = ['a', 'b', 'c'].map((text) => setup.router.route(setup.event(text)));
    await setup.router.drain();
    expect(setup.texts('s-1')).toEqual(['a', 'b', 'c']);
    await Promise.all(outcomes);
    await setup.router.drain();
  });
});
