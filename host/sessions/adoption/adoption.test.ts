import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inboundDbPath } from '../../../shared/protocol/workspace.js';
import { AdoptionRoom, hereAddress } from '../../../test/fakes/adoption-room.js';
import { messagingGroupIdFor } from '../../store/messaging-groups.js';

const hourMs = 3_600_000;

describe('a session whose folder central.db does not know', () => {
  let room: AdoptionRoom;
  let newer: string;

  beforeEach(() => {
    room = new AdoptionRoom();
    newer = room.idAt(0);
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  it('goes on in its chat, with what waits in it and what is planned', async () => {
    const chat = room.addChat();
    room.addWiring(chat, room.agentGroup);
    await room.say(newer, 'm-1');
    await room.plan(newer, 't-1', hourMs);
    room.nameAgent(newer, room.agentGroup);
    await room.start();
    expect(room.store.sessions.find(newer)).toMatchObject({
      status: 'active',
      agentGroupId: room.agentGroup.id,
      messagingGroupId: chat.id,
      threadId: null,
      createdAt: room.clock.iso(),
    });
    const due = room.store.dueItems.listForSession(newer).map(({ kind, dueAt }) => [kind, dueAt]);
    expect(due).toContainEqual(['wake', room.clock.iso()]);
    expect(due).toContainEqual(['deliver', room.clock.iso()]);
    expect(room.store.tasks.list()).toMatchObject([
      {
        id: 't-1',
        sessionId: newer,
        messagingGroupId: chat.id,
        dueAt: room.clock.iso(hourMs),
        recurrence: '0 9 * * *',
        timeZone: 'Asia/Tokyo',
        text: 'water',
      },
    ]);
    expect(room.nudged).toEqual([newer]);
    expect(room.remarks).toEqual([expect.stringContaining(newer)]);
    expect(room.logLines.join('\n')).toContain('session adopted from its folder');
  });

  it('is adopted once, however often a start is interrupted', async () => {
    room.addWiring(room.addChat(), room.agentGroup);
    await room.say(newer, 'm-1');
    await room.plan(newer, 't-1', hourMs);
    room.nameAgent(newer, room.agentGroup);
    const before = room.messagesIn(newer);
    await room.start();
    const adoption = await room.start();
    await adoption.catchUp();
    expect(room.store.sessions.list()).toHaveLength(1);
    expect(room.store.tasks.list()).toHaveLength(1);
    expect(room.messagesIn(newer)).toEqual(before);
  });

  it('brings its chat with it, under the id that its messages are known by', async () => {
    await room.say(newer, 'm-1');
    room.nameAgent(newer, room.agentGroup);
    await room.start();
    expect(room.store.messagingGroups.list()).toMatchObject([
      { id: messagingGroupIdFor('fake', 'chat-1'), channelType: 'fake', platformId: 'chat-1' },
    ]);
    // How it was wired nobody knows: an answer to everything may be too much.
    expect(room.store.wirings.list()).toEqual([]);
    expect(room.remarks.join('\n')).toMatch(/wired to no agent.*fake:chat-1.*berth wirings create/);
  });

  it('wires a chat that wires itself', async () => {
    const address = { ...hereAddress, channelType: 'open' };
    await room.say(newer, 'm-1', { address });
    await room.start();
    expect(room.store.wirings.list()).toMatchObject([{ agentGroupId: room.agentGroup.id }]);
    expect(room.store.sessions.find(newer)?.status).toBe('active');
  });

  it('keeps its thread, and belongs to no chat where its wiring says so', async () => {
    const chat = room.addChat();
    const routing = { ...hereAddress, threadId: 'thread-7' };
    await room.say(newer, 'm-1', { routing });
    room.nameAgent(newer, room.agentGroup);
    await room.start();
    expect(room.store.sessions.find(newer)).toMatchObject({ threadId: 'thread-7' });

    room.addWiring(chat, room.agentGroup, { sessionMode: 'agent-shared' });
    const shared = room.idAt(1);
    await room.say(shared, 'm-2', { routing });
    room.nameAgent(shared, room.agentGroup);
    await room.start();
    expect(room.store.sessions.find(shared)).toMatchObject({
      messagingGroupId: null,
      threadId: null,
    });
  });

  it('is history where its conversation has a session already, which does what was planned', async () => {
    const chat = room.addChat();
    room.addWiring(chat, room.agentGroup);
    const present = room.addSession({
      agentGroupId: room.agentGroup.id,
      messagingGroupId: chat.id,
    });
    await room.say(newer, 'm-1');
    await room.plan(newer, 't-1', hourMs);
    room.nameAgent(newer, room.agentGroup);
    await room.start();
    const session = room.store.sessions.find(newer);
    expect(session?.status).toBe('closed');
    expect(session?.statusReason).toContain(present.id);
    expect(room.store.tasks.list()).toMatchObject([{ id: 't-1', sessionId: present.id }]);
    expect(room.messagesIn(present.id)).toMatchObject([{ status: 'pending' }]);
    // Messages that waited are given up, and told, as with a session that a person closes.
    expect(room.messagesIn(newer).map(({ status }) => status)).toEqual(['pending', 'cancelled']);
    expect(room.remarks.join('\n')).toContain('berth dead-letters list');
  });

  it('goes on as the later one of two of one conversation', async () => {
    room.addWiring(room.addChat(), room.agentGroup);
    const later = room.idAt(5);
    for (const id of [newer, later]) {
      await room.say(id, `m-${id}`);
      room.nameAgent(id, room.agentGroup);
    }
    await room.start();
    expect(room.store.sessions.find(later)?.status).toBe('active');
    expect(room.store.sessions.find(newer)?.status).toBe('closed');
  });

  it('is found by the name of its agent where central.db was made anew', async () => {
    room.addChat();
    await room.say(newer, 'm-1');
    room.nameAgent(newer, { id: 'ag-before', name: 'Main' });
    await room.start();
    expect(room.store.sessions.find(newer)?.agentGroupId).toBe(room.agentGroup.id);
  });

  it('is named and left alone where its agent is not known, and adopted once it is', async () => {
    room.addChat();
    await room.say(newer, 'm-1');
    room.nameAgent(newer, { id: 'ag-before', name: 'Helper' });
    await room.start();
    expect(room.store.sessions.list()).toEqual([]);
    expect(room.remarks).toEqual([expect.stringContaining('berth agent-groups create "Helper"')]);
    expect(room.remarks).toEqual([expect.stringContaining(newer)]);
    expect(existsSync(room.folders.folderOf(newer))).toBe(true);
    room.addAgentGroup({ name: 'Helper' });
    await room.start(room.clock.iso(hourMs));
    expect(room.store.sessions.find(newer)?.status).toBe('active');
  });

  it('is named and left alone where its file is damaged or gone', async () => {
    await room.say(newer, 'm-1');
    writeFileSync(inboundDbPath(room.folders.inDir(newer)), 'no database at all');
    const lost = room.idAt(1);
    room.runnerOf(lost);
    rmSync(inboundDbPath(room.folders.inDir(lost)));
    await room.start();
    expect(room.store.sessions.list()).toEqual([]);
    expect(room.remarks).toHaveLength(2);
    expect(room.remarks.join('\n')).toContain('from a backup');
    expect(existsSync(room.folders.folderOf(newer))).toBe(true);
    expect(existsSync(room.folders.folderOf(lost))).toBe(true);
  });

  it('waits for a conversation where nobody has written to it, or goes with its agent', async () => {
    const homeless = room.idAt(1);
    for (const id of [newer, homeless]) {
      room.nameAgent(id, id === newer ? room.agentGroup : { id: 'ag-before', name: 'Helper' });
    }
    await room.start();
    expect(room.store.sessions.listPrewarmed()).toMatchObject([{ id: newer, status: 'warm' }]);
    expect(existsSync(room.folders.folderOf(homeless))).toBe(false);
    expect(room.remarks).toEqual([]);
  });

  it('stays off the lists where it is older than what central.db knows', async () => {
    room.addChat();
    await room.say(newer, 'm-1');
    room.nameAgent(newer, room.agentGroup);
    await room.start(room.clock.iso(hourMs));
    expect(room.store.sessions.list()).toEqual([]);
    expect(room.remarks).toEqual([]);
    expect(room.logLines.join('\n')).toContain('folders of sessions that are off the lists');
  });
});

describe('a session that central.db knows', () => {
  let room: AdoptionRoom;

  beforeEach(() => {
    room = new AdoptionRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  async function start(since: string): Promise<void> {
    const adoption = await room.start(since);
    await adoption.catchUp();
  }

  it('is read where its files are newer, and its tasks are taken from them', async () => {
    room.addWiring(room.addChat(), room.agentGroup);
    const session = room.addSession();
    await room.say(session.id, 'm-1');
    await room.plan(session.id, 't-1', hourMs);
    await start(new Date(Date.now() - hourMs).toISOString());
    expect(room.store.dueItems.find(session.id, 'deliver')).toBeDefined();
    expect(room.store.tasks.list()).toMatchObject([{ id: 't-1', sessionId: session.id }]);
    expect(room.store.daemonState.findAdoption()).toEqual({ since: null, pending: [] });
  });

  it('is left alone where they are not', async () => {
    const session = room.addSession();
    await room.say(session.id, 'm-1');
    await start(new Date(Date.now() + hourMs).toISOString());
    expect(room.store.dueItems.find(session.id, 'deliver')).toBeUndefined();
  });

  it('is named where its folder is gone though it was used', async () => {
    const used = room.addSession({ lastActive: room.clock.iso() });
    const unused = room.addSession({ threadId: 'other' });
    await start(room.clock.iso());
    expect(room.remarks).toEqual([expect.stringContaining(used.id)]);
    expect(room.remarks.join('\n')).not.toContain(unused.id);
  });
});
