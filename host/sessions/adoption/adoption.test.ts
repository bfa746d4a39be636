import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inboundDbPath } from '../../../shared/protocol/workspace.js';
import { AdoptionSetup, hereAddress } from '../../../test/fakes/adoption-setup.js';
import { messagingGroupIdFor } from '../../store/messaging-groups.js';

const hourMs = 3_600_000;

describe('a session whose folder central.db does not know', () => {
  let setup: AdoptionSetup;
  let newer: string;

  beforeEach(() => {
    setup = new AdoptionSetup();
    newer = setup.idAt(0);
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  it('goes on in its chat, with what waits in it and what is planned', async () => {
    const chat = setup.addChat();
    setup.addWiring(chat, setup.agentGroup);
    await setup.say(newer, 'm-1');
    await setup.plan(newer, 't-1', hourMs);
    setup.nameAgent(newer, setup.agentGroup);
    await setup.start();
    expect(setup.store.sessions.find(newer)).toMatchObject({
      status: 'active',
      agentGroupId: setup.agentGroup.id,
      messagingGroupId: chat.id,
      threadId: null,
      createdAt: setup.clock.iso(),
    });
    const due = setup.store.dueItems.listForSession(newer).map(({ kind, dueAt }) => [kind, dueAt]);
    expect(due).toContainEqual(['wake', setup.clock.iso()]);
    expect(due).toContainEqual(['deliver', setup.clock.iso()]);
    expect(setup.store.tasks.list()).toMatchObject([
      {
        id: 't-1',
        sessionId: newer,
        messagingGroupId: chat.id,
        dueAt: setup.clock.iso(hourMs),
        recurrence: '0 9 * * *',
        timeZone: 'Asia/Tokyo',
        text: 'water',
      },
    ]);
    expect(setup.nudged).toEqual([newer]);
    expect(setup.remarks).toEqual([expect.stringContaining(newer)]);
    expect(setup.logLines.join('\n')).toContain('session adopted from its folder');
  });

  it('is adopted once, however often a start is interrupted', async () => {
    setup.addWiring(setup.addChat(), setup.agentGroup);
    await setup.say(newer, 'm-1');
    await setup.plan(newer, 't-1', hourMs);
    setup.nameAgent(newer, setup.agentGroup);
    const before = setup.messagesIn(newer);
    await setup.start();
    const adoption = await setup.start();
    await adoption.catchUp();
    expect(setup.store.sessions.list()).toHaveLength(1);
    expect(setup.store.tasks.list()).toHaveLength(1);
    expect(setup.messagesIn(newer)).toEqual(before);
  });

  it('brings its chat with it, under the id that its messages are known by', async () => {
    await setup.say(newer, 'm-1');
    setup.nameAgent(newer, setup.agentGroup);
    await setup.start();
    expect(setup.store.messagingGroups.list()).toMatchObject([
      { id: messagingGroupIdFor('fake', 'chat-1'), channelType: 'fake', platformId: 'chat-1' },
    ]);
    // How it was wired nobody knows: an answer to everything may be too much.
    expect(setup.store.wirings.list()).toEqual([]);
    expect(setup.remarks.join('\n')).toMatch(
      /wired to no agent.*fake:chat-1.*berth wirings create/,
    );
  });

  it('wires a chat that wires itself', async () => {
    const address = { ...hereAddress, channelType: 'open' };
    await setup.say(newer, 'm-1', { address });
    await setup.start();
    expect(setup.store.wirings.list()).toMatchObject([{ agentGroupId: setup.agentGroup.id }]);
    expect(setup.store.sessions.find(newer)?.status).toBe('active');
  });

  it('keeps its thread, and belongs to no chat where its wiring says so', async () => {
    const chat = setup.addChat();
    const routing = { ...hereAddress, threadId: 'thread-7' };
    await setup.say(newer, 'm-1', { routing });
    setup.nameAgent(newer, setup.agentGroup);
    await setup.start();
    expect(setup.store.sessions.find(newer)).toMatchObject({ threadId: 'thread-7' });

    setup.addWiring(chat, setup.agentGroup, { sessionMode: 'agent-shared' });
    const shared = setup.idAt(1);
    await setup.say(shared, 'm-2', { routing });
    setup.nameAgent(shared, setup.agentGroup);
    await setup.start();
    expect(setup.store.sessions.find(shared)).toMatchObject({
      messagingGroupId: null,
      threadId: null,
    });
  });

  it('is history where its conversation has a session already, which does what was planned', async () => {
    const chat = setup.addChat();
    setup.addWiring(chat, setup.agentGroup);
    const present = setup.addSession({
      agentGroupId: setup.agentGroup.id,
      messagingGroupId: chat.id,
    });
    await setup.say(newer, 'm-1');
    await setup.plan(newer, 't-1', hourMs);
    setup.nameAgent(newer, setup.agentGroup);
    await setup.start();
    const session = setup.store.sessions.find(newer);
    expect(session?.status).toBe('closed');
    expect(session?.statusReason).toContain(present.id);
    expect(setup.store.tasks.list()).toMatchObject([{ id: 't-1', sessionId: present.id }]);
    expect(setup.messagesIn(present.id)).toMatchObject([{ status: 'pending' }]);
    // Messages that waited are given up, and told, as with a session that a person closes.
    expect(setup.messagesIn(newer).map(({ status }) => status)).toEqual(['pending', 'cancelled']);
    expect(setup.remarks.join('\n')).toContain('berth dead-letters list');
  });

  it('goes on as the later one of two of one conversation', async () => {
    setup.addWiring(setup.addChat(), setup.agentGroup);
    const later = setup.idAt(5);
    for (const id of [newer, later]) {
      await setup.say(id, `m-${id}`);
      setup.nameAgent(id, setup.agentGroup);
    }
    await setup.start();
    expect(setup.store.sessions.find(later)?.status).toBe('active');
    expect(setup.store.sessions.find(newer)?.status).toBe('closed');
  });

  it('is found by the name of its agent where central.db was made anew', async () => {
    setup.addChat();
    await setup.say(newer, 'm-1');
    setup.nameAgent(newer, { id: 'ag-before', name: 'Main' });
    await setup.start();
    expect(setup.store.sessions.find(newer)?.agentGroupId).toBe(setup.agentGroup.id);
  });

  it('is named and left alone where its agent is not known, and adopted once it is', async () => {
    setup.addChat();
    await setup.say(newer, 'm-1');
    setup.nameAgent(newer, { id: 'ag-before', name: 'Helper' });
    await setup.start();
    expect(setup.store.sessions.list()).toEqual([]);
    expect(setup.remarks).toEqual([expect.stringContaining('berth agent-groups create "Helper"')]);
    expect(setup.remarks).toEqual([expect.stringContaining(newer)]);
    expect(existsSync(setup.folders.folderOf(newer))).toBe(true);
    setup.addAgentGroup({ name: 'Helper' });
    await setup.start(setup.clock.iso(hourMs));
    expect(setup.store.sessions.find(newer)?.status).toBe('active');
  });

  it('is named and left alone where its file is damaged or gone', async () => {
    await setup.say(newer, 'm-1');
    writeFileSync(inboundDbPath(setup.folders.inDir(newer)), 'no database at all');
    const lost = setup.idAt(1);
    setup.runnerOf(lost);
    rmSync(inboundDbPath(setup.folders.inDir(lost)));
    await setup.start();
    expect(setup.store.sessions.list()).toEqual([]);
    expect(setup.remarks).toHaveLength(2);
    expect(setup.remarks.join('\n')).toContain('from a backup');
    expect(existsSync(setup.folders.folderOf(newer))).toBe(true);
    expect(existsSync(setup.folders.folderOf(lost))).toBe(true);
  });

  it('waits for a conversation where nobody has written to it, or goes with its agent', async () => {
    const homeless = setup.idAt(1);
    for (const id of [newer, homeless]) {
      setup.nameAgent(id, id === newer ? setup.agentGroup : { id: 'ag-before', name: 'Helper' });
    }
    await setup.start();
    expect(setup.store.sessions.listPrewarmed()).toMatchObject([{ id: newer, status: 'warm' }]);
    expect(existsSync(setup.folders.folderOf(homeless))).toBe(false);
    expect(setup.remarks).toEqual([]);
  });

  it('stays off the lists where it is older than what central.db knows', async () => {
    setup.addChat();
    await setup.say(newer, 'm-1');
    setup.nameAgent(newer, setup.agentGroup);
    await setup.start(setup.clock.iso(hourMs));
    expect(setup.store.sessions.list()).toEqual([]);
    expect(setup.remarks).toEqual([]);
    expect(setup.logLines.join('\n')).toContain('folders of sessions that are off the lists');
  });
});

describe('a session that central.db knows', () => {
  let setup: AdoptionSetup;

  beforeEach(() => {
    setup = new AdoptionSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  async function start(since: string): Promise<void> {
    const adoption = await setup.start(since);
    await adoption.catchUp();
  }

  it('is read where its files are newer, and its tasks are taken from them', async () => {
    setup.addWiring(setup.addChat(), setup.agentGroup);
    const session = setup.addSession();
    await setup.say(session.id, 'm-1');
    await setup.plan(session.id, 't-1', hourMs);
    await start(new Date(Date.now() - hourMs).toISOString());
    expect(setup.store.dueItems.find(session.id, 'deliver')).toBeDefined();
    expect(setup.store.tasks.list()).toMatchObject([{ id: 't-1', sessionId: session.id }]);
    expect(setup.store.daemonState.findAdoption()).toEqual({ since: null, pending: [] });
  });

  it('is left alone where they are not', async () => {
    const session = setup.addSession();
    await setup.say(session.id, 'm-1');
    await start(new Date(Date.now() + hourMs).toISOString());
    expect(setup.store.dueItems.find(session.id, 'deliver')).toBeUndefined();
  });

  it('is named where its folder is gone though it was used', async () => {
    const used = setup.addSession({ lastActive: setup.clock.iso() });
    const unused = setup.addSession({ threadId: 'other' });
    await start(setup.clock.iso());
    expect(setup.remarks).toEqual([expect.stringContaining(used.id)]);
    expect(setup.remarks.join('\n')).not.toContain(unused.id);
  });
});
