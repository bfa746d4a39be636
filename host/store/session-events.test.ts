import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Db } from '../../shared/base/sqlite/sqlite.js';
import { StatementCache } from '../../shared/base/sqlite/statement-cache.js';
import { TempHome } from '../../test/fakes/temp-home.js';
import { SessionEventStore } from './session-events.js';

describe('the events of sessions', () => {
  let home: TempHome;
  let db: Db;
  let events: SessionEventStore;

  beforeEach(() => {
    home = new TempHome();
    db = openDatabase(home.centralPaths.centralDb, { mode: 'write', busyTimeoutMs: 0 });
    events = new SessionEventStore(new StatementCache(db), { perSubject: 3, total: 1_000 });
  });

  afterEach(() => {
    db.close();
    home[Symbol.dispose]();
  });

  function count(): number {
    return Number(db.prepare('SELECT count(*) FROM session_events').pluck().get());
  }

  it('are read by whoever goes on behind the last one that it knows', () => {
    for (const sessionId of ['s-1', 's-2', 's-1']) {
      events.add({ name: 'session.woken', sessionId, detail: { why: 'a message waits' } }, '2026');
    }
    const [first, ...others] = events.listAfter(0, 10);
    expect(first).toEqual({
      seq: 1,
      sessionId: 's-1',
      messagingGroupId: null,
      messageId: null,
      name: 'session.woken',
      detail: { why: 'a message waits' },
      at: '2026',
    });
    expect(events.listAfter(1, 10)).toEqual(others);
    expect(events.listOfSessionAfter('s-1', 1, 10).map(({ seq }) => seq)).toEqual([3]);
    expect(events.listNewest(2).map(({ seq }) => seq)).toEqual([2, 3]);
    expect(events.findLast('s-1')?.seq).toBe(3);
  });

  it('never have the number of one that was forgotten', () => {
    events.add({ name: 'session.woken', sessionId: 's-1' }, '2026-01');
    expect(events.prune('2026-02', 10)).toBe(1);
    events.add({ name: 'session.woken', sessionId: 's-1' }, '2026-03');
    expect(events.listAfter(0, 10)).toMatchObject([{ seq: 2 }]);
  });

  it('of a session that makes a flood of them take the places of its own', () => {
    events.add({ name: 'session.created', sessionId: 's-quiet' }, '2026');
    for (let i = 0; i < 50; i += 1) {
      events.add({ name: 'container.ended', sessionId: 's-loud' }, '2026');
    }
    expect(events.listForSession('s-loud', 100)).toHaveLength(3);
    expect(events.listForSession('s-quiet', 100)).toHaveLength(1);
  });

  it('of a chat that nobody answers take the places of its own', () => {
    const refused = { name: 'message.refused', sessionId: null } as const;
    events.add({ ...refused, messagingGroupId: 'mg-quiet' }, '2026');
    for (let i = 0; i < 50; i += 1) {
      events.add({ ...refused, messagingGroupId: 'mg-loud', messageId: `m-${i}` }, '2026');
      events.add({ ...refused, messagingGroupId: null }, '2026');
    }
    expect(events.listForChat('mg-loud', 100).map(({ messageId }) => messageId)).toEqual([
      'm-47',
      'm-48',
      'm-49',
    ]);
    expect(events.listForChat('mg-quiet', 100)).toHaveLength(1);
    expect(count()).toBe(7);
  });

  it('have a limit, however many sessions there are', () => {
    for (let i = 0; i < 2_000; i += 1) {
      events.add({ name: 'session.created', sessionId: `s-${i}` }, '2026');
      expect(count()).toBeLessThanOrEqual(1_256);
    }
    expect(events.findLast('s-1999')).toBeDefined();
    expect(events.findLast('s-1')).toBeUndefined();
  });

  it('are small, whatever an agent or a platform says', () => {
    const long = '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'.repeat(100_000);
    events.add(
      { name: 'reply.failed', sessionId: 's-1', messageId: long, detail: { why: long } },
      '2026',
    );
    const [bytes] = db
      .prepare<[], number>(
        'SELECT length(CAST(detail AS BLOB)) + length(CAST(message_id AS BLOB)) FROM session_events',
      )
      .pluck()
      .all();
    expect(bytes).toBeLessThan(2_000);
    expect(events.findLast('s-1')?.detail.why?.length).toBeLessThanOrEqual(400);
  });

  it('that repeat themselves are told once', () => {
    const failed = (why: string): void => {
      const event = { name: 'container.failed', sessionId: 's-1', detail: { why } } as const;
      events.addUnlessRepeated(event, '2026');
    };
    for (const why of ['no engine', 'no engine', 'no image', 'no engine']) failed(why);
    expect(events.listForSession('s-1', 10).map(({ detail }) => detail.why)).toEqual([
      'no engine',
      'no image',
      'no engine',
    ]);
  });

  it('are found by the message that they are about', () => {
    events.add({ name: 'message.retried', sessionId: 's-1', messageId: 'm-1' }, '2026-01');
    events.add({ name: 'message.retried', sessionId: 's-1', messageId: 'm-2' }, '2026-01');
    events.add({ name: 'message.failed', sessionId: 's-2', messageId: 'm-1' }, '2026-02');
    expect(events.listForMessage('m-1', 10)).toMatchObject([
      { name: 'message.retried', sessionId: 's-1' },
      { name: 'message.failed', sessionId: 's-2' },
    ]);
  });

  it('of another version are left out', () => {
    events.add({ name: 'session.created', sessionId: 's-1' }, '2026');
    db.prepare(`UPDATE session_events SET name = 'session.danced'`).run();
    expect(events.listForSession('s-1', 10)).toEqual([]);
  });

  it('are written and found without reading the whole table', () => {
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
    const store = new SessionEventStore(new StatementCache(recording));
    store.add({ name: 'session.created', sessionId: 's-1' }, '2026');
    store.add({ name: 'message.refused', sessionId: null, messagingGroupId: 'mg-1' }, '2026');
    store.addUnlessRepeated({ name: 'container.failed', sessionId: 's-1' }, '2026');
    store.listForSession('s-1', 1);
    store.listForChat('mg-1', 1);
    store.listForMessage('m-1', 1);
    store.prune('2026', 1);
    for (const sql of statements) {
      const plan = db
        .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql.replaceAll(/\?|@\w+/g, `'x'`)}`)
        .all()
        .map(({ detail }) => detail);
      expect(plan.join('\n'), sql).not.toMatch(/SCAN session_events(?! USING)/);
    }
  });
});
