import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, withDatabase, type Db } from '../../shared/base/sqlite/sqlite.js';
import { TempHome } from '../../test/fakes/temp-home.js';
import { Store } from './store.js';
import { deleteSession, insertSession } from '../../test/fakes/session-rows.js';

const chat = {
  id: 'mg-1',
  channelType: 'fake',
  platformId: 'chat-1',
  name: null,
  isGroup: false,
  adminUserId: null,
  timeZone: null,
  createdAt: '',
};

const session = {
  id: 's-1',
  agentGroupId: 'ag-1',
  messagingGroupId: 'mg-1',
  threadId: null,
  provider: null,
  status: 'active',
  statusReason: null,
  containerStatus: 'stopped',
  lastActive: null,
  createdAt: '',
} as const;

const thread = { messagingGroupId: 'mg-1', agentGroupId: 'ag-1', threadId: 't-1' };
const letter = {
  sessionId: 's-1',
  direction: 'in',
  messageId: 'm-1',
  reason: '',
  createdAt: '',
} as const;
const retry = { sessionId: 's-1', messageOutId: 'o-1', attempts: 1, dueAt: '', reason: '' };
const due = { sessionId: 's-1', kind: 'wake', dueAt: '', attempts: 0 } as const;
const task = {
  id: 't-1',
  sessionId: 's-1',
  messagingGroupId: 'mg-1',
  messageId: 't-1-1',
  dueAt: '',
  text: '',
  createdAt: '',
};
const received = {
  messagingGroupId: 'mg-1',
  platformMessageId: 'p-1',
  messageId: 'm-1',
  verdicts: [],
  receivedAt: '',
};
const notice = {
  id: 'n-1',
  address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
  inReplyTo: null,
  text: '',
};

/** The daemon asks this of the central database while messages travel, and so often by itself. */
const hotCalls: Readonly<Record<string, (store: Store) => void>> = {
  'a message is routed': (store) => {
    store.messagingGroups.findByPlatform('fake', 'chat-1');
    store.messagingGroups.listAllowedSenders('mg-1');
    store.wirings.listForMessagingGroup('mg-1');
    store.engagedThreads.has(thread);
    store.engagedThreads.add(thread, '');
    store.received.find('mg-1', 'p-1');
    store.sessions.findActive(session);
    store.sessions.findActive({ ...session, messagingGroupId: null });
    store.sessions.touch('s-1', '');
    store.received.insert(received);
    store.dueItems.advance('s-1', 'wake', '');
  },
  'a container is watched': (store) => {
    store.sessions.find('s-1');
    store.repairs.isWanted('s-1');
    store.repairs.listWanted('s-1');
    store.repairs.listSessionsWanting();
    store.agentGroups.find('ag-1');
    store.dueItems.find('s-1', 'wake');
    store.sessions.setContainerStatus('s-1', 'running');
    store.sessions.listWithContainer();
  },
  'replies are delivered': (store) => {
    store.destinations.list('ag-1');
    store.messagingGroups.find('mg-1');
    store.deliveryRetries.list('s-1');
    store.deliveryRetries.set(retry);
    store.deliveryRetries.clear('s-1', 'o-1');
    store.received.findPlatformId('mg-1', 'm-1');
    store.received.listSessions(['m-1']);
    store.awaitedListeners.add('s-1', 'fake', 'chat-1');
    store.awaitedListeners.take('fake', 'chat-1');
    store.deadLetters.insert(letter);
    store.dueItems.set(due);
    store.dueItems.clear('s-1', 'deliver');
  },
  'a task is run, and the safety scan goes on': (store) => {
    store.tasks.set({ ...task, recurrence: null, timeZone: null });
    store.tasks.find('t-1');
    store.tasks.listForSession('s-1');
    store.tasks.advance('t-1', 't-1-2', '');
    store.tasks.delete('t-1');
    store.sessions.findActiveAfter('s-0');
    store.daemonState.findScanCursor();
    store.daemonState.writeScanCursor('s-1', '');
  },
  'due work is searched': (store) => {
    store.dueItems.listDue('9', 10);
    store.dueItems.listDuePage({ dueAt: '' }, '9', 10);
    store.dueItems.listDuePage(due, '9', 10);
    store.dueItems.findNextAfter('');
    store.notices.insert(notice, '');
    store.notices.listDueChannels('9');
    store.notices.listDue('9', 'fake');
    store.notices.begin('n-1');
    store.notices.postpone({ ...notice, tries: 1, status: 'sending', maybeSent: false }, '');
    store.notices.isWaiting(notice);
    store.notices.settle('n-1', 'sent');
    store.notices.reschedule('fake', 'chat-1', '');
  },
};

describe('the central database, however many sessions there are', () => {
  let home: TempHome;
  let db: Db;

  beforeEach(() => {
    home = new TempHome();
    db = openDatabase(home.centralPaths.centralDb, { mode: 'write', busyTimeoutMs: 0 });
  });

  afterEach(() => {
    db.close();
    home[Symbol.dispose]();
  });

  /** The statements that a piece of work makes. */
  function record(work: (store: Store) => void): readonly string[] {
    const statements: string[] = [];
    const recording = new Proxy(db, {
      get: (target, name): unknown => {
        if (name !== 'prepare') return Reflect.get(target, name) as unknown;
        return (sql: string) => {
          statements.push(sql);
          return target.prepare(sql);
        };
      },
    });
    work(new Store(recording));
    return statements;
  }

  function explain(sql: string): readonly string[] {
    const literal = sql.replaceAll(/\?|@\w+/g, `'x'`);
    return db
      .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${literal}`)
      .all()
      .map(({ detail }) => detail);
  }

  it.each(Object.entries(hotCalls))('reads no whole table when %s', (_, work) => {
    home.addAgentGroup({ id: 'ag-1' });
    home.store.messagingGroups.insert(chat);
    insertSession(home.store, session);
    const statements = record(work);
    expect(statements.length).toBeGreaterThan(4);
    for (const sql of statements) {
      // A part of a statement, a list that was handed over or a partial index may be read whole.
      const scans = explain(sql).filter((step) =>
        /^SCAN (?!\(|json_each )\w+(?!.* USING )/.test(step),
      );
      expect(scans, sql).toEqual([]);
    }
  });

  it('would notice one that is', () => {
    const sql = record((store) => store.sessions.list()).at(-1) ?? '';
    expect(explain(sql)).toContainEqual(expect.stringMatching(/^SCAN sessions/));
  });

  it('compiles a statement when it is first used, and never again', () => {
    home.addAgentGroup({ id: 'ag-1' });
    home.store.messagingGroups.insert(chat);
    insertSession(home.store, session);
    expect(record(() => undefined)).toEqual([]);
    const statements = record((store) => {
      for (let round = 0; round < 3; round += 1) {
        for (const work of Object.values(hotCalls)) work(store);
        store.dataVersion();
      }
    });
    expect(statements.length).toBeGreaterThan(40);
    expect([...new Set(statements)]).toEqual(statements);
  });
});

describe('due items', () => {
  it('come closer for new work, and are not pulled forward while a start is put off', () => {
    using home = new TempHome();
    const { id } = home.addSession();
    const at = (): string | undefined => home.store.dueItems.find(id, 'wake')?.dueAt;
    home.store.dueItems.advance(id, 'wake', '2026-03');
    home.store.dueItems.advance(id, 'wake', '2026-05');
    expect(at()).toBe('2026-03');
    home.store.dueItems.advance(id, 'wake', '2026-01');
    expect(at()).toBe('2026-01');
    home.store.dueItems.set({ sessionId: id, kind: 'wake', dueAt: '2026-07', attempts: 2 });
    home.store.dueItems.advance(id, 'wake', '2026-01');
    expect(home.store.dueItems.find(id, 'wake')).toMatchObject({ dueAt: '2026-07', attempts: 2 });
  });

  it('go with their session', () => {
    using home = new TempHome();
    const { id } = home.addSession();
    home.store.dueItems.advance(id, 'wake', '2026-01');
    home.store.awaitedListeners.add(id, 'fake', 'chat-1');
    deleteSession(home.store, id);
    expect(home.store.dueItems.listDue('2027', 10)).toEqual([]);
    expect(home.store.awaitedListeners.take('fake', 'chat-1')).toEqual([]);
  });

  it('are listed up to now, the longest waiting first, of both kinds', () => {
    using home = new TempHome();
    const [a, b] = [home.addSession().id, home.addSession().id];
    home.store.dueItems.advance(a, 'wake', '2026-02');
    home.store.dueItems.advance(b, 'deliver', '2026-01');
    home.store.dueItems.advance(b, 'wake', '2026-04');
    const listed = home.store.dueItems.listDue('2026-03', 10);
    expect(listed.map(({ sessionId, kind }) => [sessionId, kind])).toEqual([
      [b, 'deliver'],
      [a, 'wake'],
    ]);
    expect(home.store.dueItems.listDue('2026-03', 1)).toHaveLength(1);
    expect(home.store.dueItems.findNextAfter('2026-03')).toBe('2026-04');
    expect(home.store.dueItems.findNextAfter('2026-04')).toBeUndefined();
    expect(home.store.dueItems.countDue('2026-03')).toBe(2);
  });

  it('of a kind that this version does not know are left alone, and hide nothing', () => {
    using home = new TempHome();
    const { id } = home.addSession();
    withDatabase(home.centralPaths.centralDb, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.prepare(`INSERT INTO due_items VALUES (?, 'dance', '2026-01', 0)`).run(id);
    });
    home.store.dueItems.advance(id, 'wake', '2026-02');
    const { dueItems } = home.store;
    expect(dueItems.listDue('2026-03', 1)).toMatchObject([{ kind: 'wake' }]);
    expect(dueItems.listDuePage({ dueAt: '' }, '2026-03', 1)).toMatchObject([{ kind: 'wake' }]);
    expect(dueItems.findNextAfter('2025-12')).toBe('2026-02');
    expect(dueItems.countDue('2026-03')).toBe(1);
    expect(dueItems.listForSession(id).map(({ kind }) => kind)).not.toContain('dance');
  });
});
