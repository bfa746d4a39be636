import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RoutingSetup } from '../../test/fakes/routing-setup.js';
import { settlementOf } from '../../test/fakes/settle-rows.js';
import type { Verdict } from '../store/messages/received-messages.js';
import type { SessionMode } from '../store/wirings.js';

describe('a message for several agents', () => {
  let setup: RoutingSetup;

  beforeEach(() => {
    setup = new RoutingSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function wireThree(): void {
    const chat = setup.addChat();
    const priorities = { 'ag-low': 1, 'ag-high': 9, 'ag-middle': 5 };
    for (const [id, priority] of Object.entries(priorities)) {
      setup.addWiring(chat, setup.addAgentGroup({ id }), { priority });
    }
  }

  it('goes to each in a session of its own, by priority', async () => {
    wireThree();
    await setup.router.route(setup.event('hi'));
    const sessions = setup.store.sessions.list();
    expect(sessions).toHaveLength(3);
    const byAgent = new Map(sessions.map(({ id, agentGroupId }) => [agentGroupId, id]));
    const ranked = ['ag-high', 'ag-middle', 'ag-low'];
    expect(setup.posted).toEqual(ranked.map((id) => byAgent.get(id)));
    const verdicts = JSON.parse(setup.receivedRows()[0]!.verdicts) as Verdict[];
    expect(verdicts.map(({ agentGroupId }) => agentGroupId)).toEqual(ranked);
    for (const id of setup.posted) expect(setup.texts(id)).toEqual(['hi']);
  });

  it('wakes nobody before it is known who takes it', async () => {
    wireThree();
    const rowsThen: number[] = [];
    setup.whenPosted = (): void => {
      rowsThen.push(setup.receivedRows().length);
    };
    await setup.router.route(setup.event('hi'));
    expect(rowsThen).toEqual([1, 1, 1]);
  });

  it('is taken once, also when it comes twice at the same time', async () => {
    wireThree();
    const event = setup.event('hi');
    const outcomes = await Promise.all([setup.router.route(event), setup.router.route(event)]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'duplicate']);
    expect(await setup.router.route(event)).toMatchObject({
      kind: 'duplicate',
      contextOnly: false,
    });
    expect(setup.posted).toHaveLength(3);
    for (const id of setup.posted) expect(setup.texts(id)).toEqual(['hi']);
    const { platformMessageId } = event;
    const elsewhere = setup.event('other chat', { platformId: 'chat-2', platformMessageId });
    expect(await setup.router.route(elsewhere)).toMatchObject({ kind: 'refused' });
  });

  it('tells of a repeat whether everybody has dealt with it', async () => {
    wireThree();
    const event = setup.event('hi');
    const first = await setup.router.route(event);
    const messageId = first.kind === 'accepted' ? first.messageId : '';
    const [high = '', middle = '', low = ''] = setup.posted;
    const settle = async (id: string, status: 'completed' | 'failed'): Promise<void> => {
      const open = await setup.mailbox.inbound(id, 'listOpen');
      await setup.mailbox.inbound(id, 'settle', settlementOf(open, [{ id: messageId, status }]));
    };
    await settle(high, 'completed');
    await settle(middle, 'failed');
    expect(await setup.router.route(event)).not.toHaveProperty('settled');
    await settle(low, 'completed');
    const repeat = await setup.router.route(event);
    expect(repeat.kind === 'duplicate' && (await repeat.settled)).toBe('failed');
  });

  it('says of a repeat that nobody took that it was refused', async () => {
    const event = setup.event('hi');
    await setup.router.route(event);
    expect(await setup.router.route(event)).toEqual({
      kind: 'refused',
      reason: 'it was refused before',
    });
    expect(setup.receivedRows()).toHaveLength(1);
  });

  it('is taken by whom it can reach, once, and its chat is told whom it could not', async () => {
    wireThree();
    const blocked = setup.addSession({ agentGroupId: 'ag-middle' });
    mkdirSync(join(setup.folders.inDir(blocked.id), 'inbound.db.new'), { recursive: true });
    const event = setup.event('hi');
    expect(await setup.router.route(event)).toMatchObject({ kind: 'accepted' });
    expect(await setup.router.route(event)).toMatchObject({ kind: 'duplicate' });
    for (const { id } of setup.store.sessions.list().filter((one) => one.id !== blocked.id)) {
      expect(setup.texts(id)).toEqual(['hi']);
      expect(setup.store.dueItems.find(id, 'wake')).toBeDefined();
    }
    expect(setup.posted).not.toContain(blocked.id);
    const [notice] = setup.notices();
    expect(notice?.text).toBe(
      'ag-middle could not take this message. Who else answers here has it.',
    );
    const verdicts = JSON.parse(setup.receivedRows()[0]!.verdicts) as Verdict[];
    expect(verdicts.find(({ agentGroupId }) => agentGroupId === 'ag-middle')).toMatchObject({
      verdict: 'refused',
      reason: expect.stringContaining('could not take it') as string,
    });
  });

  it('is as if it had never come where nobody could take it', async () => {
    wireThree();
    const inTheWay = ['ag-high', 'ag-middle', 'ag-low'].map((agentGroupId) => {
      const session = setup.addSession({ agentGroupId });
      return join(setup.folders.inDir(session.id), 'inbound.db.new');
    });
    for (const path of inTheWay) mkdirSync(path, { recursive: true });
    const event = setup.event('hi');
    await expect(setup.router.route(event)).rejects.toThrow();
    expect(setup.receivedRows()).toEqual([]);
    for (const path of inTheWay) rmSync(path, { recursive: true });
    expect(await setup.router.route(event)).toMatchObject({ kind: 'accepted' });
    for (const { id } of setup.store.sessions.list()) expect(setup.texts(id)).toEqual(['hi']);
  });

  it('passes by a wiring that was broken by hand, and says so', async () => {
    const chat = setup.addChat();
    const broken = { responseScope: 'everyone' };
    setup.addWiring(chat, setup.addAgentGroup({ id: 'ag-1' }), { triggerRules: '{"mode":' });
    setup.addWiring(chat, setup.addAgentGroup({ id: 'ag-2' }), broken);
    setup.addWiring(chat, setup.addAgentGroup({ id: 'ag-3' }), { sessionMode: 'mine' });
    setup.addWiring(chat, setup.addAgentGroup({ id: 'ag-4' }));
    expect(await setup.router.route(setup.event('hi'))).toMatchObject({ kind: 'accepted' });
    const verdicts = JSON.parse(setup.receivedRows()[0]!.verdicts) as Verdict[];
    expect(verdicts.map(({ agentGroupId, verdict }) => [agentGroupId, verdict])).toEqual([
      ['ag-1', 'refused'],
      ['ag-2', 'refused'],
      ['ag-3', 'refused'],
      ['ag-4', 'engaged'],
    ]);
    expect(verdicts[0]?.reason).toContain('not JSON');
    expect(verdicts[1]?.reason).toContain('everyone');
    expect(setup.store.sessions.list()).toHaveLength(1);
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
    using setup = new RoutingSetup();
    const group = setup.addAgentGroup();
    for (const platformId of ['chat-1', 'chat-2']) {
      setup.addWiring(setup.addChat({ platformId }), group, { sessionMode });
    }
    for (const [platformId, threadId] of places) {
      const address = { channelType: 'fake', platformId, threadId };
      await setup.router.route(setup.event(`${platformId} ${threadId ?? ''}`, { address }));
    }
    expect(setup.posted).toEqual(sessions);
    // Where replies go by themselves: the last place that spoke, or the session's own.
    const last = sessions.at(-1)!;
    const routing = setup.inbound(last, (db) =>
      db.prepare('SELECT platform_id, thread_id FROM session_routing').get(),
    );
    expect(routing).toEqual({
      platform_id: 'chat-2',
      thread_id: sessionMode === 'shared' ? null : 't-1',
    });
  });
});
