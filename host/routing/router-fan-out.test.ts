import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RoutingRoom } from '../../test/fakes/routing-room.js';
import { settlementOf } from '../../test/fakes/settle-rows.js';
import type { Verdict } from '../store/received-messages.js';
import type { SessionMode } from '../store/wirings.js';

describe('a message for several agents', () => {
  let room: RoutingRoom;

  beforeEach(() => {
    room = new RoutingRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function wireThree(): void {
    const chat = room.addChat();
    const priorities = { 'ag-low': 1, 'ag-high': 9, 'ag-middle': 5 };
    for (const [id, priority] of Object.entries(priorities)) {
      room.addWiring(chat, room.addAgentGroup({ id }), { priority });
    }
  }

  it('goes to each in a session of its own, by priority', async () => {
    wireThree();
    await room.router.route(room.event('hi'));
    const sessions = room.store.sessions.list();
    expect(sessions).toHaveLength(3);
    const byAgent = new Map(sessions.map(({ id, agentGroupId }) => [agentGroupId, id]));
    const ranked = ['ag-high', 'ag-middle', 'ag-low'];
    expect(room.posted).toEqual(ranked.map((id) => byAgent.get(id)));
    const verdicts = JSON.parse(room.receivedRows()[0]!.verdicts) as Verdict[];
    expect(verdicts.map(({ agentGroupId }) => agentGroupId)).toEqual(ranked);
    for (const id of room.posted) expect(room.texts(id)).toEqual(['hi']);
  });

  it('wakes nobody before it is known who takes it', async () => {
    wireThree();
    const rowsThen: number[] = [];
    room.whenPosted = (): void => {
      rowsThen.push(room.receivedRows().length);
    };
    await room.router.route(room.event('hi'));
    expect(rowsThen).toEqual([1, 1, 1]);
  });

  it('is taken once, also when it comes twice at the same time', async () => {
    wireThree();
    const event = room.event('hi');
    const outcomes = await Promise.all([room.router.route(event), room.router.route(event)]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'duplicate']);
    expect(await room.router.route(event)).toMatchObject({
      kind: 'duplicate',
      contextOnly: false,
    });
    expect(room.posted).toHaveLength(3);
    for (const id of room.posted) expect(room.texts(id)).toEqual(['hi']);
    const { platformMessageId } = event;
    const elsewhere = room.event('other chat', { platformId: 'chat-2', platformMessageId });
    expect(await room.router.route(elsewhere)).toMatchObject({ kind: 'refused' });
  });

  it('tells of a repeat whether everybody has dealt with it', async () => {
    wireThree();
    const event = room.event('hi');
    const first = await room.router.route(event);
    const messageId = first.kind === 'accepted' ? first.messageId : '';
    const [high = '', middle = '', low = ''] = room.posted;
    const settle = async (id: string, status: 'completed' | 'failed'): Promise<void> => {
      const open = await room.mailbox.inbound(id, 'listOpen');
      await room.mailbox.inbound(id, 'settle', settlementOf(open, [{ id: messageId, status }]));
    };
    await settle(high, 'completed');
    await settle(middle, 'failed');
    expect(await room.router.route(event)).not.toHaveProperty('settled');
    await settle(low, 'completed');
    expect(await room.router.route(event)).toMatchObject({ kind: 'duplicate', settled: 'failed' });
  });

  it('says of a repeat that nobody took that it was refused', async () => {
    const event = room.event('hi');
    await room.router.route(event);
    expect(await room.router.route(event)).toEqual({
      kind: 'refused',
      reason: 'it was refused before',
    });
    expect(room.receivedRows()).toHaveLength(1);
  });

  it('is taken by whom it can reach, once, and its chat is told whom it could not', async () => {
    wireThree();
    const blocked = room.addSession({ agentGroupId: 'ag-middle' });
    mkdirSync(join(room.folders.inDir(blocked.id), 'inbound.db.new'), { recursive: true });
    const event = room.event('hi');
    expect(await room.router.route(event)).toMatchObject({ kind: 'accepted' });
    expect(await room.router.route(event)).toMatchObject({ kind: 'duplicate' });
    for (const { id } of room.store.sessions.list().filter((one) => one.id !== blocked.id)) {
      expect(room.texts(id)).toEqual(['hi']);
      expect(room.store.dueItems.find(id, 'wake')).toBeDefined();
    }
    expect(room.posted).not.toContain(blocked.id);
    const [notice] = room.notices();
    expect(notice?.text).toBe(
      'ag-middle could not take this message. Who else answers here has it.',
    );
    const verdicts = JSON.parse(room.receivedRows()[0]!.verdicts) as Verdict[];
    expect(verdicts.find(({ agentGroupId }) => agentGroupId === 'ag-middle')).toMatchObject({
      verdict: 'refused',
      reason: expect.stringContaining('could not take it') as string,
    });
  });

  it('is as if it had never come where nobody could take it', async () => {
    wireThree();
    const inTheWay = ['ag-high', 'ag-middle', 'ag-low'].map((agentGroupId) => {
      const session = room.addSession({ agentGroupId });
      return join(room.folders.inDir(session.id), 'inbound.db.new');
    });
    for (const path of inTheWay) mkdirSync(path, { recursive: true });
    const event = room.event('hi');
    await expect(room.router.route(event)).rejects.toThrow();
    expect(room.receivedRows()).toEqual([]);
    for (const path of inTheWay) rmSync(path, { recursive: true });
    expect(await room.router.route(event)).toMatchObject({ kind: 'accepted' });
    for (const { id } of room.store.sessions.list()) expect(room.texts(id)).toEqual(['hi']);
  });

  it('passes by a wiring that was broken by hand, and says so', async () => {
    const chat = room.addChat();
    const broken = { responseScope: 'everyone' };
    room.addWiring(chat, room.addAgentGroup({ id: 'ag-1' }), { triggerRules: '{"mode":' });
    room.addWiring(chat, room.addAgentGroup({ id: 'ag-2' }), broken);
    room.addWiring(chat, room.addAgentGroup({ id: 'ag-3' }), { sessionMode: 'mine' });
    room.addWiring(chat, room.addAgentGroup({ id: 'ag-4' }));
    expect(await room.router.route(room.event('hi'))).toMatchObject({ kind: 'accepted' });
    const verdicts = JSON.parse(room.receivedRows()[0]!.verdicts) as Verdict[];
    expect(verdicts.map(({ agentGroupId, verdict }) => [agentGroupId, verdict])).toEqual([
      ['ag-1', 'refused'],
      ['ag-2', 'refused'],
      ['ag-3', 'refused'],
      ['ag-4', 'engaged'],
    ]);
    expect(verdicts[0]?.reason).toContain('not JSON');
    expect(verdicts[1]?.reason).toContain('everyone');
    expect(room.store.sessions.list()).toHaveLength(1);
  });
});

describe('session modes', () => {
  const places: readonly [platformId: string, threadId: string | null][] = [
    ['chat-1', null],
    ['chat-1', 't-1'],
    ['chat-1', 't-2'],
    ['chat-1', 't-1'],
    ['chat-2', null],
    ['chat-2', 't-1'],
  ];
  const expected: Record<SessionMode, readonly string[]> = {
    shared: ['s-1', 's-1', 's-1', 's-1', 's-2', 's-2'],
    'per-thread': ['s-1', 's-2', 's-3', 's-2', 's-4', 's-5'],
    'agent-shared': ['s-1', 's-1', 's-1', 's-1', 's-1', 's-1'],
  };

  it.each(Object.entries(expected))('%s', async (sessionMode, sessions) => {
    using room = new RoutingRoom();
    const group = room.addAgentGroup();
    for (const platformId of ['chat-1', 'chat-2']) {
      room.addWiring(room.addChat({ platformId }), group, { sessionMode });
    }
    for (const [platformId, threadId] of places) {
      const address = { channelType: 'fake', platformId, threadId };
      await room.router.route(room.event(`${platformId} ${threadId ?? ''}`, { address }));
    }
    expect(room.posted).toEqual(sessions);
    // Where replies go by themselves: the last place that spoke, or the session's own.
    const last = sessions.at(-1)!;
    const routing = room.inbound(last, (db) =>
      db.prepare('SELECT platform_id, thread_id FROM session_routing').get(),
    );
    expect(routing).toEqual({
      platform_id: 'chat-2',
      thread_id: sessionMode === 'shared' ? null : 't-1',
    });
  });
});
