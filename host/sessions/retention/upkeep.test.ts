import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../../shared/base/sqlite/migrate.js';
import { openDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { UpkeepSetup } from '../../../test/fakes/upkeep-setup.js';
import { until } from '../../../test/fakes/waiting.js';

describe('upkeep', () => {
  let setup: UpkeepSetup;

  beforeEach(() => {
    setup = new UpkeepSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function count(table: string): number {
    return setup.central((db) => Number(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()));
  }

  function receive(id: string): void {
    setup.store.received.insert({
      messagingGroupId: setup.chat.id,
      platformMessageId: id,
      messageId: id,
      verdicts: [],
      receivedAt: setup.clock.iso(),
    });
  }

  it('forgets messages that no platform sends again any more', async () => {
    for (let i = 0; i < 700; i += 1) receive(`old-${i}`);
    setup.advanceDays(31);
    receive('new');
    await setup.upkeep();
    expect(count('received_messages')).toBe(1);
    expect(setup.store.received.find(setup.chat.id, 'new')).toBeDefined();
  });

  it('forgets notices and requests that are settled, and waits longer for those that are not', async () => {
    const address = { channelType: 'fake', platformId: 'chat-1', threadId: null };
    for (const id of ['said', 'unsaid']) {
      setup.store.notices.insert({ id, address, inReplyTo: null, text: '' }, setup.clock.iso());
      setup.store.requests.insert({ id, kind: 'x', payload: '{}', createdAt: setup.clock.iso() });
    }
    setup.store.notices.settle('said', 'sent');
    setup.store.requests.settle('said', 'done', 'null');
    setup.advanceDays(31);
    await setup.upkeep();
    expect(setup.notices().map(({ id }) => id)).toEqual(['unsaid']);
    expect(setup.store.requests.find('said')).toBeUndefined();
    setup.advanceDays(365);
    await setup.upkeep();
    expect(count('notices')).toBe(0);
    expect(setup.store.requests.find('unsaid')).toBeDefined();
  });

  it('forgets what happened three months ago, and of a session that is gone as well', async () => {
    const add = (sessionId: string): void => {
      setup.store.events.add({ name: 'session.removed', sessionId }, setup.clock.iso());
    };
    for (let count = 0; count < 60; count += 1) add(`s-gone-${count}`);
    setup.advanceDays(60);
    add('s-late');
    await setup.upkeep();
    expect(setup.store.events.listAfter(0, 100)).toHaveLength(61);
    setup.advanceDays(31);
    await setup.upkeep();
    expect(setup.events()).toEqual(['session.removed s-late']);
  });

  it('forgets threads that nobody writes in', async () => {
    const thread = (threadId: string) => ({
      messagingGroupId: setup.chat.id,
      agentGroupId: setup.agentGroup.id,
      threadId,
    });
    setup.store.engagedThreads.add(thread('used'), setup.clock.iso());
    setup.store.engagedThreads.add(thread('left'), setup.clock.iso());
    setup.advanceDays(200);
    setup.store.engagedThreads.add(thread('used'), setup.clock.iso());
    setup.advanceDays(200);
    await setup.upkeep();
    expect(setup.store.engagedThreads.has(thread('used'))).toBe(true);
    expect(setup.store.engagedThreads.has(thread('left'))).toBe(false);
  });

  it('hides no message that waits, however many sessions are due', async () => {
    for (let i = 0; i < 30; i += 1) setup.planPrune(setup.addSession().id);
    await setup.post(setup.session, 'm-1');
    expect(setup.store.dueItems.listDue(setup.clock.iso(), 1)).toMatchObject([{ kind: 'wake' }]);
    expect(setup.store.dueItems.countDue(setup.clock.iso())).toBe(1);
    await setup.upkeep();
    expect(setup.store.dueItems.find(setup.session.id, 'wake')).toBeDefined();
  });

  it('goes on after a stop in the middle', async () => {
    const { id } = setup.session;
    const messages = Array.from({ length: 500 }, (_, index) => `m-${index}`);
    await setup.post(setup.session, ...messages);
    setup.runner.complete(...messages);
    await setup.deliver();
    setup.advanceDays(366);
    setup.planPrune(id);
    const upkeep = setup.newUpkeep();
    upkeep.start();
    await until(() => {
      expect(setup.messageIds().length).toBeLessThan(500);
    });
    await upkeep.stop();
    expect(setup.messageIds().length).toBeGreaterThan(1);
    expect(setup.store.dueItems.listDuePrunes(setup.clock.iso(), 10)).toEqual([id]);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['m-499']);
  });

  it('keeps one session’s trouble from the others', async () => {
    const other = setup.addSession();
    setup.planPrune(other.id);
    await setup.exchange('m-1');
    await setup.exchange('m-2');
    setup.outbound(setup.session.id, (db) => db.exec('DROP TABLE messages_out'));
    setup.outbound(setup.session.id, (db) =>
      db.exec('CREATE VIEW messages_out AS SELECT 1 AS seq'),
    );
    setup.advanceDays(366);
    await setup.upkeep();
    expect(setup.store.dueItems.find(other.id, 'prune')?.dueAt).toBe(
      setup.clock.iso(7 * 86_400_000),
    );
    expect(readdirSync(setup.sessionsDir)).toContain(setup.session.id);
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
