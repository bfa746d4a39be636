import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RoutingSetup } from '../../test/fakes/routing-setup.js';
import type { Verdict } from '../store/messages/received-messages.js';
import { deleteSession } from '../../test/fakes/session-rows.js';

describe('the router', () => {
  let setup: RoutingSetup;

  beforeEach(() => {
    setup = new RoutingSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function verdicts(index = 0): readonly Verdict[] {
    return JSON.parse(setup.receivedRows()[index]?.verdicts ?? '[]') as Verdict[];
  }

  it('records an unknown chat and refuses its message', async () => {
    setup.addAgentGroup({ folder: 'main' });
    const outcome = await setup.router.route(
      setup.event('hi', { platformId: 'stranger', chatName: 'Strangers', isGroup: true }),
    );
    expect(outcome).toEqual({
      kind: 'refused',
      reason: 'no agent is wired to this chat',
      next: expect.stringContaining('berth wirings create fake:') as string,
    });
    expect(setup.store.messagingGroups.findByPlatform('fake', 'stranger')).toMatchObject({
      name: 'Strangers',
      isGroup: true,
    });
    expect(setup.store.wirings.list()).toEqual([]);
    expect(setup.store.sessions.list()).toEqual([]);
    expect(setup.receivedRows()).toHaveLength(1);
    expect(setup.posted).toEqual([]);
  });

  it('wires a chat of a channel that wires itself to the default agent group', async () => {
    setup.addAgentGroup({ id: 'ag-other', folder: 'other' });
    setup.addAgentGroup({ id: 'ag-main', folder: 'main' });
    const address = { channelType: 'open', platformId: 'local', threadId: null };
    const outcome = await setup.router.route(setup.event('hi', { address }));
    expect(outcome).toMatchObject({ kind: 'accepted', contextOnly: false });
    expect(setup.store.wirings.list()).toMatchObject([
      { agentGroupId: 'ag-main', sessionMode: 'shared', responseScope: 'all' },
    ]);
    const [sessionId = ''] = setup.sessionsOf('ag-main');
    expect(setup.texts(sessionId)).toEqual(['hi']);
    expect(setup.posted).toEqual([sessionId]);
    await setup.router.route(setup.event('again', { address }));
    expect(setup.store.wirings.list()).toHaveLength(1);
    expect(setup.texts(sessionId)).toEqual(['hi', 'again']);
  });

  it('does not record a chat that should wire itself and could not', async () => {
    setup.addAgentGroup({ id: 'ag-main', folder: 'main' });
    setup.central((db) => {
      db.exec(`CREATE TRIGGER no_wirings BEFORE INSERT ON messaging_group_agents
               BEGIN SELECT raise(ABORT, 'not now'); END`);
    });
    const event = setup.event('hi', {
      address: { channelType: 'open', platformId: 'local', threadId: null },
    });
    await expect(setup.router.route(event)).rejects.toThrow('not now');
    expect(setup.store.messagingGroups.list()).toEqual([]);
    setup.central((db) => {
      db.exec('DROP TRIGGER no_wirings');
    });
    await expect(setup.router.route(event)).resolves.toMatchObject({ kind: 'accepted' });
  });

  it('writes the message, its routing and the destinations before it accepts', async () => {
    const group = setup.addAgentGroup();
    setup.addWiring(setup.addChat(), group);
    const destination = {
      name: 'ops',
      displayName: 'Operators',
      type: 'channel',
      channelType: 'fake',
      platformId: 'ops-chat',
      agentGroupId: null,
    } as const;
    setup.store.destinations.insert(group.id, destination, setup.clock.iso());
    const outcome = await setup.router.route(
      setup.event('hello', { replyTo: 'p-0', sender: { id: 'ann', name: 'Ann' } }),
    );
    const [sessionId = ''] = setup.sessionsOf(group.id);
    const row = setup.inbound(sessionId, (db) => db.prepare('SELECT * FROM messages_in').get());
    expect(row).toMatchObject({
      id: outcome.kind === 'accepted' ? outcome.messageId : '',
      seq: 2,
      kind: 'chat',
      timestamp: setup.clock.iso(),
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
    setup.inbound(sessionId, (db) => {
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
    expect(setup.store.dueItems.find(sessionId, 'wake')).toMatchObject({
      dueAt: setup.clock.iso(),
      attempts: 0,
    });
    expect(setup.store.sessions.find(sessionId)?.lastActive).toBe(setup.clock.iso());
  });

  it('keeps as context what the agent ignores, and wakes nobody', async () => {
    const group = setup.addAgentGroup();
    setup.addWiring(setup.addChat({ isGroup: true }), group, {
      triggerRules: '{"mode":"mention","ignored":"accumulate"}',
    });
    const outcome = await setup.router.route(setup.event('chatter', { isGroup: true }));
    expect(outcome).toMatchObject({ kind: 'accepted', contextOnly: true });
    const [sessionId = ''] = setup.sessionsOf(group.id);
    expect(setup.messagesIn(sessionId)).toMatchObject([{ status: 'context' }]);
    expect(setup.store.dueItems.find(sessionId, 'wake')).toBeUndefined();
    expect(setup.posted).toEqual([]);
    expect(verdicts()).toMatchObject([{ verdict: 'context', reason: 'not mentioned', sessionId }]);

    await setup.router.route(setup.event('you there', { isGroup: true, isMention: true }));
    expect(setup.messagesIn(sessionId).map(({ status }) => status)).toEqual(['context', 'pending']);
    expect(setup.posted).toEqual([sessionId]);
  });

  it('leaves out what the agent ignores, and writes down why', async () => {
    const group = setup.addAgentGroup();
    setup.addWiring(setup.addChat(), group, { triggerRules: '{"mode":"mention"}' });
    const outcome = await setup.router.route(setup.event('chatter', { isGroup: true }));
    expect(outcome).toEqual({ kind: 'refused', reason: 'not mentioned' });
    expect(verdicts()).toEqual([
      { agentGroupId: group.id, verdict: 'refused', reason: 'not mentioned' },
    ]);
    expect(setup.store.sessions.list()).toEqual([]);
  });

  it('has to be mentioned in a chat that an admin calls a group, whatever the platform says', async () => {
    const group = setup.addAgentGroup();
    setup.addWiring(setup.addChat({ isGroup: true }), group, {
      triggerRules: '{"mode":"mention"}',
    });
    expect(await setup.router.route(setup.event('chatter'))).toMatchObject({ kind: 'refused' });
    const mention = setup.event('you there', { isMention: true });
    expect(await setup.router.route(mention)).toMatchObject({ kind: 'accepted' });
  });

  it.each([
    ['helper', 'accepted'],
    ['Our_Helper', 'accepted'],
    ['our-helper', 'accepted'],
    ['somebody', 'refused'],
  ])('takes %s for its own name or not: %s', async (name, kind) => {
    const group = setup.addAgentGroup({ name: 'Our Helper', folder: 'helper' });
    setup.addWiring(setup.addChat({ isGroup: true }), group, {
      triggerRules: '{"mode":"mention"}',
    });
    const event = setup.event(`@${name} hi`, { mentionedNames: [name] });
    expect(await setup.router.route(event)).toMatchObject({ kind });
  });

  it('stays in a thread that a mention has opened, and in no other', async () => {
    const group = setup.addAgentGroup();
    setup.addWiring(setup.addChat(), group, { triggerRules: '{"mode":"mention-sticky"}' });
    const say = async (threadId: string | null, isMention: boolean): Promise<string> => {
      const address = { channelType: 'fake', platformId: 'chat-1', threadId };
      const event = setup.event('x', { address, isMention, isGroup: true });
      return (await setup.router.route(event)).kind;
    };
    expect(await say('t-1', false)).toBe('refused');
    expect(await say('t-1', true)).toBe('accepted');
    expect(await say('t-1', false)).toBe('accepted');
    expect(await say('t-2', false)).toBe('refused');
    expect(await say(null, false)).toBe('refused');
  });

  it('asks the allowlist before anything is kept', async () => {
    const group = setup.addAgentGroup();
    const chat = setup.addChat({ adminUserId: 'boss' });
    setup.addWiring(chat, group, {
      responseScope: 'allowlisted',
      triggerRules: '{"mode":"mention","ignored":"accumulate"}',
    });
    setup.store.messagingGroups.allowSender(chat.id, 'ann', setup.clock.iso());
    const say = async (id: string): Promise<string> =>
      (
        await setup.router.route(
          setup.event(id, { sender: { id }, isGroup: true, isMention: true }),
        )
      ).kind;
    expect(await say('mallory')).toBe('refused');
    expect(await say('ann')).toBe('accepted');
    expect(await say('boss')).toBe('accepted');
    const [sessionId = ''] = setup.sessionsOf(group.id);
    expect(setup.texts(sessionId)).toEqual(['ann', 'boss']);
    setup.store.messagingGroups.disallowSender(chat.id, 'ann');
    expect(await say('ann')).toBe('refused');
  });

  it.each([
    ['its conversation was deleted', 'completed'],
    ['it was lost with a damaged file', 'failed'],
  ])('says of a message that is said again that no more follows where %s', async (why, settled) => {
    setup.addWiring(setup.addChat(), setup.addAgentGroup());
    const event = setup.event('hi');
    const { messageId } = (await setup.router.route(event)) as { messageId: string };
    const [session] = setup.store.sessions.list();
    const sessionId = session!.id;
    if (settled === 'completed') deleteSession(setup.store, sessionId);
    else {
      setup.inbound(sessionId, (db) => db.exec('DELETE FROM messages_in'));
      const letter = { sessionId, direction: 'in', messageId, reason: why } as const;
      setup.store.deadLetters.insert({ ...letter, createdAt: setup.clock.iso() });
    }
    const repeat = await setup.router.route(event);
    expect(repeat.kind === 'duplicate' && (await repeat.settled)).toBe(settled);
  });

  it('lays the files of a message into the inbox of its session', async () => {
    const group = setup.addAgentGroup();
    setup.addWiring(setup.addChat(), group);
    const path = join(setup.root, 'upload');
    writeFileSync(path, 'the report');
    const files = [
      { name: '../../evil.sh', path, mimeType: 'text/plain' },
      { name: 'report.pdf', path },
    ];
    const outcome = await setup.router.route(setup.event('see', { files }));
    const [sessionId = ''] = setup.sessionsOf(group.id);
    const { content, id } = setup.messagesIn(sessionId)[0]!;
    const { attachments } = JSON.parse(content) as { attachments: { file: string }[] };
    expect(attachments).toEqual([
      { name: '../../evil.sh', file: '1-_.._evil.sh', mimeType: 'text/plain', sizeBytes: 10 },
      { name: 'report.pdf', file: '2-report.pdf', sizeBytes: 10 },
    ]);
    const inbox = join(setup.folders.inDir(sessionId), 'inbox', id);
    for (const { file } of attachments) {
      expect(readFileSync(join(inbox, file), 'utf8')).toBe('the report');
    }
    expect(outcome).toMatchObject({ kind: 'accepted', messageId: id });
  });
});
