import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertSession, setStatus } from '../../test/fakes/session-rows.js';
import { TempHome } from '../../test/fakes/temp-home.js';
import { SessionLifecycle } from './session-lifecycle.js';
import { decideTransition, sessionStatuses, type StatusChange } from './session-transitions.js';

const changes: readonly StatusChange[] = [
  'take',
  'close',
  'expire',
  'quarantine',
  'reopen',
  'remove',
];

describe('the transitions of a session', () => {
  it('lead from each status to few others', () => {
    const table = sessionStatuses.map((from) => [
      from,
      Object.fromEntries(
        changes.flatMap((change) => {
          const next = decideTransition(from, change);
          return next === undefined ? [] : [[change, next]];
        }),
      ),
    ]);
    expect(Object.fromEntries(table)).toEqual({
      warm: { take: 'active', close: 'closed', expire: 'closed', remove: 'gone' },
      active: { close: 'closed', expire: 'closed', quarantine: 'set-aside' },
      closed: { reopen: 'active', remove: 'gone' },
      'set-aside': { remove: 'gone' },
    });
  });
});

describe('the life cycle of sessions', () => {
  let home: TempHome;
  let lifecycle: SessionLifecycle;
  const key = { agentGroupId: 'ag-1', messagingGroupId: 'mg-1', threadId: null };

  beforeEach(() => {
    home = new TempHome();
    lifecycle = new SessionLifecycle(home);
    home.addAgentGroup({ id: 'ag-1' });
    home.addChat({ id: 'mg-1' });
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  function events(): readonly string[] {
    return home.store.events
      .listNewest(100)
      .map(({ name, sessionId, detail }) => `${sessionId} ${name} ${detail.why ?? ''}`.trimEnd());
  }

  it('tells of each change with an event', () => {
    lifecycle.begin('s-1', key);
    expect(lifecycle.close('s-1', 'by hand')).toBe(true);
    expect(lifecycle.reopen('s-1')).toBe(true);
    expect(home.store.sessions.find('s-1')).toMatchObject({ status: 'active', statusReason: null });
    expect(lifecycle.quarantine('s-1', 'bytes flipped')).toBe(true);
    expect(home.store.sessions.find('s-1')).toMatchObject({
      status: 'set-aside',
      statusReason: 'bytes flipped',
    });
    expect(lifecycle.remove('s-1', 'old')).toBe(true);
    expect(home.store.sessions.find('s-1')).toBeUndefined();
    expect(events()).toEqual([
      's-1 session.created',
      's-1 session.closed by hand',
      's-1 session.reopened',
      's-1 session.quarantined bytes flipped',
      's-1 session.removed old',
    ]);
    expect(home.store.events.findLast('s-1')?.messagingGroupId).toBe('mg-1');
  });

  it('gives a prewarmed session to a conversation, and takes one away that nobody needs', () => {
    const group = home.store.agentGroups.list()[0]!;
    for (const id of ['s-1', 's-2']) lifecycle.prewarm(id, group);
    home.store.sessions.setContainerStatus('s-1', 'running');
    expect(lifecycle.take(key, group)).toMatchObject({ id: 's-1', status: 'active', ...key });
    expect(lifecycle.take(key, group)).toBeUndefined();
    expect(lifecycle.expire('s-2', 'not needed any more')).toBe(true);
    expect(lifecycle.remove('s-2')).toBe(true);
    expect(events()).toEqual([
      's-1 session.prewarmed',
      's-2 session.prewarmed',
      's-1 session.taken',
      's-2 session.completed not needed any more',
      's-2 session.removed',
    ]);
    expect(home.store.sessions.listPrewarmed()).toEqual([]);
  });

  it('changes nothing that the table does not allow, and tells of nothing then', () => {
    const session = home.addSession({ id: 's-1', status: 'closed', statusReason: 'by hand' });
    expect(lifecycle.close('s-1', 'again')).toBe(false);
    expect(lifecycle.quarantine('s-1', 'damaged')).toBe(false);
    expect(lifecycle.close('s-unknown', 'again')).toBe(false);
    expect(lifecycle.remove('s-unknown')).toBe(false);
    expect(home.store.sessions.find('s-1')).toEqual(session);
    setStatus(home.store, 's-1', 'active');
    expect(lifecycle.remove('s-1')).toBe(false);
    expect(home.store.sessions.find('s-1')).toBeDefined();
    expect(events()).toEqual([]);
  });

  it('writes a change and its event both or neither', () => {
    const session = home.addSession({ id: 's-1' });
    expect(() =>
      home.store.transaction(() => {
        lifecycle.close('s-1', 'by hand');
        throw new Error('the disk is full');
      }),
    ).toThrow('the disk is full');
    expect(home.store.sessions.find('s-1')).toEqual(session);
    expect(events()).toEqual([]);
    expect(() => {
      lifecycle.begin('s-1', key);
    }).toThrow();
    expect(events()).toEqual([]);
  });

  it('keeps the events of a session that was removed', () => {
    insertSession(home.store, { ...home.addSession({ id: 's-0' }), id: 's-1', status: 'closed' });
    lifecycle.remove('s-1', 'old');
    expect(home.store.events.listForSession('s-1', 10)).toMatchObject([
      { name: 'session.removed' },
    ]);
  });

  it('is behind the only statements that write a status', () => {
    const writing =
      /(insert\s+into|delete\s+from)\s+sessions\b|update\s+sessions\s+set(?:(?!where)[^`])*?\bstatus\s*=/i;
    const files = ['host', 'container', 'shared'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    );
    const writers = files.filter(
      (path) =>
        path.endsWith('.ts') &&
        !path.endsWith('.test.ts') &&
        writing.test(readFileSync(path, 'utf8').replaceAll(/container_status/g, '')),
    );
    expect(writers).toEqual(['host/store/session-status.ts']);
  });
});
