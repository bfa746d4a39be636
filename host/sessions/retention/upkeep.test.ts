import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../../shared/base/sqlite/migrate.js';
import { openDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { UpkeepRoom } from '../../../test/fakes/upkeep-room.js';
import { until } from '../../../test/fakes/waiting.js';

describe('upkeep', () => {
  let room: UpkeepRoom;

  beforeEach(() => {
    room = new UpkeepRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function count(table: string): number {
    return room.central((db) => Number(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()));
  }

  function receive(id: string): void {
    room.store.received.insert({
      messagingGroupId: room.chat.id,
      platformMessageId: id,
      messageId: id,
      verdicts: [],
      receivedAt: room.clock.iso(),
    });
  }

  it('forgets messages that no platform sends again any more', async () => {
    for (let i = 0; i < 700; i += 1) receive(`old-${i}`);
    room.advanceDays(31);
    receive('new');
    await room.upkeep();
    expect(count('received_messages')).toBe(1);
    expect(room.store.received.find(room.chat.id, 'new')).toBeDefined();
  });

  it('forgets notices and requests that are settled, and waits longer for those that are not', async () => {
    const address = { channelType: 'fake', platformId: 'chat-1', threadId: null };
    for (const id of ['said', 'unsaid']) {
      room.store.notices.insert({ id, address, inReplyTo: null, text: '' }, room.clock.iso());
      room.store.requests.insert({ id, kind: 'x', payload: '{}', createdAt: room.clock.iso() });
    }
    room.store.notices.settle('said', 'sent');
    room.store.requests.settle('said', 'done', 'null');
    room.advanceDays(31);
    await room.upkeep();
    expect(room.notices().map(({ id }) => id)).toEqual(['unsaid']);
    expect(room.store.requests.find('said')).toBeUndefined();
    room.advanceDays(365);
    await room.upkeep();
    expect(count('notices')).toBe(0);
    expect(room.store.requests.find('unsaid')).toBeDefined();
  });

  it('forgets threads that nobody writes in', async () => {
    const thread = (threadId: string) => ({
      messagingGroupId: room.chat.id,
      agentGroupId: room.agentGroup.id,
      threadId,
    });
    room.store.engagedThreads.add(thread('used'), room.clock.iso());
    room.store.engagedThreads.add(thread('left'), room.clock.iso());
    room.advanceDays(200);
    room.store.engagedThreads.add(thread('used'), room.clock.iso());
    room.advanceDays(200);
    await room.upkeep();
    expect(room.store.engagedThreads.has(thread('used'))).toBe(true);
    expect(room.store.engagedThreads.has(thread('left'))).toBe(false);
  });

  it('hides no message that waits, however many sessions are due', async () => {
    for (let i = 0; i < 30; i += 1) room.planPrune(room.addSession().id);
    await room.post(room.session, 'm-1');
    expect(room.store.dueItems.listDue(room.clock.iso(), 1)).toMatchObject([{ kind: 'wake' }]);
    expect(room.store.dueItems.countDue(room.clock.iso())).toBe(1);
    await room.upkeep();
    expect(room.store.dueItems.find(room.session.id, 'wake')).toBeDefined();
  });

  it('goes on after a stop in the middle', async () => {
    const { id } = room.session;
    const messages = Array.from({ length: 500 }, (_, index) => `m-${index}`);
    await room.post(room.session, ...messages);
    room.runner.complete(...messages);
    await room.deliver();
    room.advanceDays(366);
    room.planPrune(id);
    const upkeep = room.newUpkeep();
    upkeep.start();
    await until(() => {
      expect(room.messageIds().length).toBeLessThan(500);
    });
    await upkeep.stop();
    expect(room.messageIds().length).toBeGreaterThan(1);
    expect(room.store.dueItems.listDuePrunes(room.clock.iso(), 10)).toEqual([id]);
    await room.upkeep();
    expect(room.messageIds()).toEqual(['m-499']);
  });

  it('keeps one session’s trouble from the others', async () => {
    const other = room.addSession();
    room.planPrune(other.id);
    await room.exchange('m-1');
    await room.exchange('m-2');
    room.outbound(room.session.id, (db) => db.exec('DROP TABLE messages_out'));
    room.outbound(room.session.id, (db) => db.exec('CREATE VIEW messages_out AS SELECT 1 AS seq'));
    room.advanceDays(366);
    await room.upkeep();
    expect(room.store.dueItems.find(other.id, 'prune')?.dueAt).toBe(room.clock.iso(7 * 86_400_000));
    expect(readdirSync(room.sessionsDir)).toContain(room.session.id);
  });
});

describe('the migration', () => {
  it('plans the upkeep of sessions that are there already', () => {
    const folder = mkdtempSync(join(tmpdir(), 'berth-migration-'));
    const path = join(folder, 'central.db');
    const db = openDatabase(path, { mode: 'create', busyTimeoutMs: 0 });
    try {
      const [first, second, third] = readMigrations('migrations/central').map(({ sql }) => sql);
      db.exec(`${first!}${second!}`);
      db.exec(`INSERT INTO agent_groups (id, name, folder, created_at) VALUES ('ag', 'a', 'a', '');
               INSERT INTO sessions (id, agent_group_id, created_at) VALUES ('s-1', 'ag', ''), ('s-2', 'ag', '')`);
      db.exec(third!);
      const planned = db.prepare('SELECT session_id, kind FROM due_items ORDER BY 1').raw().all();
      expect(planned).toEqual([
        ['s-1', 'prune'],
        ['s-2', 'prune'],
      ]);
    } finally {
      db.close();
      rmSync(folder, { recursive: true });
    }
  });
});
