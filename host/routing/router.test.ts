import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RoutingRoom } from '../../test/fakes/routing-room.js';
import type { Verdict } from '../store/received-messages.js';

describe('the router', () => {
  let room: RoutingRoom;

  beforeEach(() => {
    room = new RoutingRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function verdicts(index = 0): readonly Verdict[] {
    return JSON.parse(room.receivedRows()[index]?.verdicts ?? '[]') as Verdict[];
  }

  it('records an unknown chat and refuses its message', async () => {
    room.addAgentGroup({ folder: 'main' });
    const outcome = await room.router.route(
      room.event('hi', { platformId: 'stranger', chatName: 'Strangers', isGroup: true }),
    );
    expect(outcome).toEqual({
      kind: 'refused',
      reason: 'no agent is wired to this chat',
      next: expect.stringContaining('berth wirings create fake:') as string,
    });
    expect(room.store.messagingGroups.findByPlatform('fake', 'stranger')).toMatchObject({
      name: 'Strangers',
      isGroup: true,
    });
    expect(room.store.wirings.list()).toEqual([]);
    expect(room.store.sessions.list()).toEqual([]);
    expect(room.receivedRows()).toHaveLength(1);
    expect(room.posted).toEqual([]);
  });

  it('wires a chat of a channel that wires itself to the default agent group', async () => {
    room.addAgentGroup({ id: 'ag-other', folder: 'other' });
    room.addAgentGroup({ id: 'ag-main', folder: 'main' });
    const address = { channelType: 'open', platformId: 'local', threadId: null };
    const outcome = await room.router.route(room.event('hi', { address }));
    expect(outcome).toMatchObject({ kind: 'accepted', contextOnly: false });
    expect(room.store.wirings.list()).toMatchObject([
      { agentGroupId: 'ag-main', sessionMode: 'shared', responseScope: 'all' },
    ]);
    const [sessionId = ''] = room.sessionsOf('ag-main');
    expect(room.texts(sessionId)).toEqual(['hi']);
    expect(room.posted).toEqual([sessionId]);
    await room.router.route(room.event('again', { address }));
    expect(room.store.wirings.list()).toHaveLength(1);
    expect(room.texts(sessionId)).toEqual(['hi', 'again']);
  });

  it('does not record a chat that should wire itself and could not', async () => {
    room.addAgentGroup({ id: 'ag-main', folder: 'main' });
    room.central((db) => {
      db.exec(`CREATE TRIGGER no_wirings BEFORE INSERT ON messaging_group_agents
               BEGIN SELECT raise(ABORT, 'not now'); END`);
    });
    const event = room.event('hi', {
      address: { channelType: 'open', platformId: 'local', threadId: null },
    });
    await expect(room.router.route(event)).rejects.toThrow('not now');
    expect(room.store.messagingGroups.list()).toEqual([]);
    room.central((db) => {
      db.exec('DROP TRIGGER no_wirings');
    });
    await expect(room.router.route(event)).resolves.toMatchObject({ kind: 'accepted' });
  });

  it('writes the message, its routing and the destinations before it accepts', async () => {
    const group = room.addAgentGroup();
    room.addWiring(room.addChat(), group);
    const destination = {
      name: 'ops',
      displayName: 'Operators',
      type: 'channel',
      channelType: 'fake',
      platformId: 'ops-chat',
      agentGroupId: null,
    } as const;
    room.store.destinations.insert(group.id, destination, room.clock.iso());
    const outcome = await room.router.route(
      room.event('hello', { replyTo: 'p-0', sender: { id: 'ann', name: 'Ann' } }),
    );
    const [sessionId = ''] = room.sessionsOf(group.id);
    const row = room.inbound(sessionId, (db) => db.prepare('SELECT * FROM messages_in').get());
    expect(row).toMatchObject({
      id: outcome.kind === 'accepted' ? outcome.messageId : '',
      seq: 2,
      kind: 'chat',
      timestamp: room.clock.iso(),
      status: 'pending',
      tries: 0,
      channel_type: 'fake',
      platform_id: 'chat-1',
    });
    expect(JSON.parse((row as { content: string }).content)).toEqual({
      text: 'hello',
      sender: { id: 'ann', name: 'Ann' },
      mentioned: true,
      replyTo: 'p-0',
      attachments: [],
    });
    room.inbound(sessionId, (db) => {
      expect(db.prepare('SELECT * FROM session_routing').get()).toEqual({
        id: 1,
        channel_type: 'fake',
        platform_id: 'chat-1',
        thread_id: null,
      });
      expect(db.prepare('SELECT name, platform_id FROM destinations').all()).toEqual([
        { name: 'ops', platform_id: 'ops-chat' },
      ]);
    });
    expect(room.store.dueItems.find(sessionId, 'wake')).toMatchObject({
      dueAt: room.clock.iso(),
      attempts: 0,
    });
    expect(room.store.sessions.find(sessionId)?.lastActive).toBe(room.clock.iso());
  });

  it('keeps as context what the agent ignores, and wakes nobody', async () => {
    const group = room.addAgentGroup();
    room.addWiring(room.addChat({ isGroup: true }), group, {
      triggerRules: '{"mode":"mention","ignored":"accumulate"}',
    });
    const outcome = await room.router.route(room.event('chatter', { isGroup: true }));
    expect(outcome).toMatchObject({ kind: 'accepted', contextOnly: true });
    const [sessionId = ''] = room.sessionsOf(group.id);
    expect(room.messagesIn(sessionId)).toMatchObject([{ status: 'context' }]);
    expect(room.store.dueItems.find(sessionId, 'wake')).toBeUndefined();
    expect(room.posted).toEqual([]);
    expect(verdicts()).toMatchObject([{ verdict: 'context', reason: 'not mentioned', sessionId }]);

    await room.router.route(room.event('you there', { isGroup: true, isMention: true }));
    expect(room.messagesIn(sessionId).map(({ status }) => status)).toEqual(['context', 'pending']);
    expect(room.posted).toEqual([sessionId]);
  });

  it('leaves out what the agent ignores, and writes down why', async () => {
    const group = room.addAgentGroup();
    room.addWiring(room.addChat(), group, { triggerRules: '{"mode":"mention"}' });
    const outcome = await room.router.route(room.event('chatter', { isGroup: true }));
    expect(outcome).toEqual({ kind: 'refused', reason: 'not mentioned' });
    expect(verdicts()).toEqual([
      { agentGroupId: group.id, verdict: 'refused', reason: 'not mentioned' },
    ]);
    expect(room.store.sessions.list()).toEqual([]);
  });

  it('has to be mentioned in a chat that an admin calls a group, whatever the platform says', async () => {
    const group = room.addAgentGroup();
    room.addWiring(room.addChat({ isGroup: true }), group, { triggerRules: '{"mode":"mention"}' });
    expect(await room.router.route(room.event('chatter'))).toMatchObject({ kind: 'refused' });
    const mention = room.event('you there', { isMention: true });
    expect(await room.router.route(mention)).toMatchObject({ kind: 'accepted' });
  });

  it.each([
    ['helper', 'accepted'],
    ['Our_Helper', 'accepted'],
    ['our-helper', 'accepted'],
    ['somebody', 'refused'],
  ])('takes %s for its own name or not: %s', async (name, kind) => {
    const group = room.addAgentGroup({ name: 'Our Helper', folder: 'helper' });
    room.addWiring(room.addChat({ isGroup: true }), group, { triggerRules: '{"mode":"mention"}' });
    const event = room.event(`@${name} hi`, { mentionedNames: [name] });
    expect(await room.router.route(event)).toMatchObject({ kind });
  });

  it('stays in a thread that a mention has opened, and in no other', async () => {
    const group = room.addAgentGroup();
    room.addWiring(room.addChat(), group, { triggerRules: '{"mode":"mention-sticky"}' });
    const say = async (threadId: string | null, isMention: boolean): Promise<string> => {
      const address = { channelType: 'fake', platformId: 'chat-1', threadId };
      const event = room.event('x', { address, isMention, isGroup: true });
      return (await room.router.route(event)).kind;
    };
    expect(await say('t-1', false)).toBe('refused');
    expect(await say('t-1', true)).toBe('accepted');
    expect(await say('t-1', false)).toBe('accepted');
    expect(await say('t-2', false)).toBe('refused');
    expect(await say(null, false)).toBe('refused');
  });

  it('asks the allowlist before anything is kept', async () => {
    const group = room.addAgentGroup();
    const chat = room.addChat({ adminUserId: 'boss' });
    room.addWiring(chat, group, {
      responseScope: 'allowlisted',
      triggerRules: '{"mode":"mention","ignored":"accumulate"}',
    });
    room.store.messagingGroups.allowSender(chat.id, 'ann', room.clock.iso());
    const say = async (id: string): Promise<string> =>
      (await room.router.route(room.event(id, { sender: { id }, isGroup: true, isMention: true })))
        .kind;
    expect(await say('mallory')).toBe('refused');
    expect(await say('ann')).toBe('accepted');
    expect(await say('boss')).toBe('accepted');
    const [sessionId = ''] = room.sessionsOf(group.id);
    expect(room.texts(sessionId)).toEqual(['ann', 'boss']);
    room.store.messagingGroups.disallowSender(chat.id, 'ann');
    expect(await say('ann')).toBe('refused');
  });

  it('lays the files of a message into the inbox of its session', async () => {
    const group = room.addAgentGroup();
    room.addWiring(room.addChat(), group);
    const path = join(room.root, 'upload');
    writeFileSync(path, 'the report');
    const files = [
      { name: '../../evil.sh', path, mimeType: 'text/plain' },
      { name: 'report.pdf', path },
    ];
    const outcome = await room.router.route(room.event('see', { files }));
    const [sessionId = ''] = room.sessionsOf(group.id);
    const { content, id } = room.messagesIn(sessionId)[0]!;
    const { attachments } = JSON.parse(content) as { attachments: { file: string }[] };
    expect(attachments).toEqual([
      { name: '../../evil.sh', file: '1-_.._evil.sh', mimeType: 'text/plain', sizeBytes: 10 },
      { name: 'report.pdf', file: '2-report.pdf', sizeBytes: 10 },
    ]);
    const inbox = join(room.folders.inDir(sessionId), 'inbox', id);
    for (const { file } of attachments) {
      expect(readFileSync(join(inbox, file), 'utf8')).toBe('the report');
    }
    expect(outcome).toMatchObject({ kind: 'accepted', messageId: id });
  });
});
