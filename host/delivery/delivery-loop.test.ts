import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outboundDbPath } from '../../shared/protocol/workspace.js';
import { DeliveryRoom } from '../../test/fakes/delivery-room.js';
import { until } from '../../test/fakes/waiting.js';

const untilTheTestIsOver = 600_000;

describe('delivery', () => {
  let room: DeliveryRoom;

  beforeEach(() => {
    room = new DeliveryRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  it('brings replies to the session’s own chat where they name none', async () => {
    room.runner.say('o-1', { inReplyTo: 'm-1' });
    await room.deliver();
    expect(room.channel.sent).toMatchObject([
      {
        address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
        messageId: 'o-1',
        inReplyTo: 'm-1',
        chat: { operation: 'post', text: 'o-1' },
        targetPlatformId: null,
        files: [],
      },
    ]);
    const row = room.inbound(room.session.id, (db) => db.prepare('SELECT * FROM delivered').get());
    expect(row).toEqual({
      message_out_id: 'o-1',
      platform_message_id: 'platform-1',
      status: 'delivered',
      delivered_at: room.clock.iso(),
    });
    expect(room.deliversIn()).toBeUndefined();
    await room.deliver();
    expect(room.channel.sends).toHaveLength(1);
  });

  it.each([
    [300, true],
    [30, false],
  ])(
    'keeps the order of a session where %i replies wait (idempotent: %s)',
    async (count, sendsAreIdempotent) => {
      using busy = new DeliveryRoom({ sendsAreIdempotent });
      const texts = Array.from({ length: count }, (_, index) => `o-${index}`);
      busy.runner.sayAll(texts);
      await busy.deliver();
      expect(busy.texts()).toEqual(texts);
      expect(Object.values(busy.deliveries(busy.session.id))).toEqual(texts.map(() => 'delivered'));
    },
  );

  it('sends nothing twice after a restart', async () => {
    room.runner.sayAll(['o-1', 'o-2']);
    await room.deliver();
    room.rebuild();
    room.runner.say('o-3');
    await room.deliver();
    expect(room.texts()).toEqual(['o-1', 'o-2', 'o-3']);
  });

  it('settles a message only when its replies have been sent', async () => {
    await room.post(room.session, 'm-1');
    const statuses: string[] = [];
    const send = room.channel.send.bind(room.channel);
    room.channel.send = (event) => {
      statuses.push(room.messagesIn(room.session.id)[0]!.status);
      return send(event);
    };
    room.runner.say('o-1', { inReplyTo: 'm-1' });
    room.runner.complete('m-1');
    await room.deliver();
    expect(statuses).toEqual(['pending']);
    expect(room.describe()).toEqual({ 'm-1': 'completed 0' });
    expect(room.settled).toHaveLength(1);
  });

  it('takes what is said in the moment of a reply before it settles what the reply answers', async () => {
    using slow = new DeliveryRoom({ settlementWaitMs: 300, sendsAreIdempotent: true });
    await slow.post(slow.session, 'm-1');
    slow.runner.say('o-1', { inReplyTo: 'm-1' });
    slow.runner.complete('m-1');
    const delivered = slow.deliver();
    await until(() => {
      expect(slow.texts()).toEqual(['o-1']);
    });
    await slow.post(slow.session, 'm-2');
    expect(slow.describe()).toEqual({ 'm-1': 'pending 0', 'm-2': 'pending 0' });
    await delivered;
    expect(slow.describe()).toEqual({ 'm-1': 'completed 0', 'm-2': 'pending 0' });
  });

  it('notes at once what was sent where a repeat would show', async () => {
    using room = new DeliveryRoom({
      settlementWaitMs: untilTheTestIsOver,
      sendsAreIdempotent: false,
    });
    await room.post(room.session, 'm-1');
    room.runner.say('o-1', { inReplyTo: 'm-1' });
    room.runner.complete('m-1');
    await room.deliver();
    expect(room.deliveries(room.session.id)).toEqual({ 'o-1': 'delivered' });
    expect(room.describe()).toEqual({ 'm-1': 'completed 0' });
  });

  it('keeps no reply waiting for a settlement that has nothing to settle', async () => {
    using patient = new DeliveryRoom({ settlementWaitMs: untilTheTestIsOver });
    await patient.post(patient.session, 'm-1');
    patient.runner.claim('m-1');
    await patient.deliver();
    patient.runner.say('o-1', { inReplyTo: 'm-1' });
    await patient.deliver();
    expect(patient.texts()).toEqual(['o-1']);
  });

  it('honours deliver_after, and does not keep later replies back for it', async () => {
    room.runner.say('later', { deliverAfter: room.clock.iso(60_000) });
    room.runner.say('now');
    await room.deliver();
    expect(room.texts()).toEqual(['now']);
    expect(room.deliversIn()).toBe(60_000);
    room.rebuild();
    await room.deliver();
    expect(room.texts()).toEqual(['now']);
    room.clock.advance(60_000);
    await room.deliver();
    expect(room.texts()).toEqual(['now', 'later']);
    expect(room.deliversIn()).toBeUndefined();
  });

  it.each([true, false])(
    'finds the platform’s id of what is edited or reacted to (idempotent: %s)',
    async (sendsAreIdempotent) => {
      using room = new DeliveryRoom({ sendsAreIdempotent });
      room.store.received.insert({
        messagingGroupId: room.chat.id,
        platformMessageId: 'theirs-1',
        messageId: 'm-1',
        verdicts: [],
        receivedAt: room.clock.iso(),
      });
      room.store.received.insert({
        messagingGroupId: room.addChat({ platformId: 'elsewhere' }).id,
        platformMessageId: 'not-theirs',
        messageId: 'm-elsewhere',
        verdicts: [],
        receivedAt: room.clock.iso(),
      });
      room.runner.say('o-1');
      room.runner.sayContent('o-2', { operation: 'edit', messageId: 'o-1', text: 'better' });
      room.runner.sayContent('o-3', { operation: 'react', messageId: 'm-1', emoji: '👍' });
      room.runner.sayContent('o-4', { operation: 'react', messageId: 'm-unknown', emoji: '👎' });
      room.runner.sayContent('o-5', { operation: 'react', messageId: 'm-elsewhere', emoji: '👎' });
      room.runner.sayContent('o-6', { operation: 'edit', messageId: 'm-1', text: 'not yours' });
      await room.deliver();
      expect(room.channel.sends.map(({ targetPlatformId }) => targetPlatformId)).toEqual([
        null,
        'platform-1',
        'theirs-1',
        null,
        null,
        null,
      ]);
      expect(room.deliveries(room.session.id)).toEqual({
        'o-1': 'delivered',
        'o-2': 'delivered',
        'o-3': 'delivered',
        'o-4': 'failed',
        'o-5': 'failed',
        'o-6': 'failed',
      });
      expect(room.outDeadLetters()).toEqual({
        'o-4': 'the message is not known here',
        'o-5': 'the message is not known here',
        'o-6': 'the message is not known here',
      });
    },
  );

  it.each([
    [
      'o-nowhere',
      { channelType: 'pigeon', platformId: 'loft', threadId: null },
      /no channel of type pigeon/,
    ],
    [
      'o-stranger',
      { channelType: 'fake', platformId: 'stranger', threadId: null },
      /may not write to/,
    ],
  ])('gives up %s, with the reason', async (id, address, reason) => {
    const ops = { type: 'channel', channelType: 'pigeon', platformId: 'loft' } as const;
    const destination = { ...ops, name: 'ops', displayName: null, agentGroupId: null };
    room.store.destinations.insert(room.agentGroup.id, destination, room.clock.iso());
    room.runner.say(id, { address });
    room.runner.say('o-2');
    await room.deliver();
    expect(room.deliveries(room.session.id)).toEqual({ [id]: 'failed', 'o-2': 'delivered' });
    expect(room.outDeadLetters()[id]).toMatch(reason);
    expect(room.texts()).toEqual(['o-2']);
  });

  it('may write to every chat that is wired to the agent, as long as it is', async () => {
    const other = room.addWiredChat('chat-2');
    room.runner.say('o-1', { address: other });
    await room.deliver();
    room.store.wirings.delete(room.store.wirings.listForAgentGroup(room.agentGroup.id)[0]!.id);
    room.runner.say('o-2', { address: other });
    await room.deliver();
    expect(room.deliveries(room.session.id)).toEqual({ 'o-1': 'delivered', 'o-2': 'failed' });
  });

  it('refuses what does not parse, and goes on', async () => {
    room.runner.sayContent('o-1', { operation: 'explode' });
    room.runner.sayContent('o-2', { parameters: {} }, { kind: 'system' });
    room.runner.write({
      id: 'o-3',
      inReplyTo: null,
      deliverAfter: null,
      kind: 'chat',
      address: null,
      content: 'x'.repeat(1024 * 1024 + 1),
    });
    room.runner.say('o-4', { deliverAfter: 'when pigs fly' });
    room.runner.say('o-5');
    await room.deliver();
    expect(room.texts()).toEqual(['o-5']);
    expect(room.outDeadLetters()).toMatchObject({
      'o-1': expect.stringContaining('does not fit') as string,
      'o-2': expect.stringContaining('action') as string,
      'o-3': 'its content is too long',
      'o-4': expect.stringContaining('deliver_after') as string,
    });
    expect(room.deliversIn()).toBeUndefined();
  });

  it('asks for the repair of a session whose outbound.db is damaged, and delivers for the others', async () => {
    const other = room.addSession();
    room.runnerOf(other.id).say('o-2');
    writeFileSync(outboundDbPath(room.folders.outDir(room.session.id)), 'no database');
    room.delivery.loop.nudge(room.session.id);
    room.delivery.loop.nudge(other.id);
    await room.delivery.loop.drain();
    expect(room.damaged).toEqual([room.session.id]);
    expect(room.texts()).toEqual(['o-2']);
    await room.deliver();
    expect(room.store.repairs.listWanted(room.session.id)).toHaveLength(1);
    expect(room.store.sessions.find(room.session.id)?.status).toBe('active');
  });

  it('says nothing of a session that was never written to', async () => {
    const empty = room.addSession();
    await room.deliver(empty);
    await room.delivery.loop.finish(empty.id, new Set());
    await room.deliver({ ...empty, id: 's-unknown' });
    await room.delivery.loop.finish('s-unknown', new Set());
    expect(room.damaged).toEqual([]);
    expect(room.deliversIn(empty)).toBeUndefined();
  });
});
