import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TempHome } from '../../test/fakes/temp-home.js';
import { SessionRegistry } from './session-registry.js';
import { setStatus } from '../../test/fakes/session-rows.js';

describe('the session registry', () => {
  let home: TempHome;
  let registry: SessionRegistry;

  beforeEach(() => {
    home = new TempHome();
    registry = new SessionRegistry(home);
    home.addAgentGroup({ id: 'ag-1' });
    home.addAgentGroup({ id: 'ag-2' });
    home.addChat({ id: 'mg-1' });
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  it('gives every conversation a session of its own, and always the same', () => {
    const keys = [
      { agentGroupId: 'ag-1', messagingGroupId: 'mg-1', threadId: null },
      { agentGroupId: 'ag-1', messagingGroupId: 'mg-1', threadId: 't-1' },
      { agentGroupId: 'ag-2', messagingGroupId: 'mg-1', threadId: null },
      { agentGroupId: 'ag-1', messagingGroupId: null, threadId: null },
    ];
    const ids = keys.map((key) => registry.ensure(key).id);
    expect(new Set(ids).size).toBe(keys.length);
    expect(keys.map((key) => registry.ensure(key).id)).toEqual(ids);
  });

  it.each(['closed', 'set-aside'] as const)('begins anew where the last one is %s', (status) => {
    const key = { agentGroupId: 'ag-1', messagingGroupId: 'mg-1', threadId: null };
    const first = registry.ensure(key);
    setStatus(home.store, first.id, status, 'over');
    const second = registry.ensure(key);
    expect(second.id).not.toBe(first.id);
    expect(second).toMatchObject({ status: 'active', containerStatus: 'stopped' });
  });

  it('quarantines once, with a reason, a word in the chat and no work left', () => {
    const key = { agentGroupId: 'ag-1', messagingGroupId: 'mg-1', threadId: 't-1' };
    const { id } = registry.ensure(key);
    for (const kind of ['wake', 'deliver'] as const) {
      home.store.dueItems.advance(id, kind, home.clock.iso());
    }
    registry.quarantine(id, 'its file is damaged');
    registry.quarantine(id, 'again');
    registry.quarantine('s-unknown', 'who?');
    expect(home.store.sessions.find(id)).toMatchObject({
      status: 'set-aside',
      statusReason: 'its file is damaged',
    });
    expect(home.notices()).toMatchObject([{ id: `aside-${id}`, status: 'pending' }]);
    expect(home.store.notices.listDue(home.clock.iso(), 'fake')[0]?.address).toEqual({
      channelType: 'fake',
      platformId: 'chat-1',
      threadId: 't-1',
    });
    expect(home.store.dueItems.listDue(home.clock.iso(), 10)).toEqual([]);
  });

  it('leaves a session alone that a person has closed', () => {
    const session = home.addSession({ status: 'closed', statusReason: 'by hand' });
    registry.quarantine(session.id, 'its file is damaged');
    expect(home.store.sessions.find(session.id)).toMatchObject({ statusReason: 'by hand' });
    expect(home.notices()).toEqual([]);
  });

  it('projects the chat and the destinations as they are now', () => {
    const destination = {
      name: 'ops',
      displayName: null,
      type: 'channel',
      channelType: 'fake',
      platformId: 'ops',
      agentGroupId: null,
    } as const;
    home.store.destinations.insert('ag-1', destination, home.clock.iso());
    const chat = home.addSession({ agentGroupId: 'ag-1', threadId: 't-1' });
    expect(registry.projectionOf(chat)).toEqual({
      routing: { channelType: 'fake', platformId: 'chat-1', threadId: 't-1' },
      destinations: [destination],
    });
    const shared = home.addSession({ agentGroupId: 'ag-1', messagingGroupId: null });
    expect(registry.projectionOf(shared)).toEqual({ destinations: [destination] });
    home.store.destinations.delete('ag-1', 'ops');
    expect(registry.projectionOf(chat).destinations).toEqual([]);
  });
});
