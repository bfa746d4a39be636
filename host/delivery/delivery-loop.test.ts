import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outboundDbPath } from '../../shared/protocol/workspace.js';
import { DeliverySetup } from '../../test/fakes/delivery-setup.js';
import { until } from '../../test/fakes/waiting.js';

const untilTheTestIsOver = 600_000;

describe('delivery', () => {
  let setup: DeliverySetup;

  beforeEach(() => {
    setup = new DeliverySetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  it('brings replies to the session’s own chat where they name none', async () => {
    setup.runner.say('o-1', { inReplyTo: 'm-1' });
    await setup.deliver();
    expect(setup.channel.sent).toMatchObject([
      {
        address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
        messageId: 'o-1',
        inReplyTo: 'm-1',
        chat: { operation: 'post', text: 'o-1' },
        targetPlatformId: null,
        files: [],
      },
    ]);
    const row = setup.inbound(setup.session.id, (db) =>
      db.prepare('SELECT * FROM delivered').get(),
    );
    expect(row).toEqual({
      message_out_id: 'o-1',
      platform_message_id: 'platform-1',
      status: 'delivered',
      delivered_at: setup.clock.iso(),
    });
    expect(setup.deliversIn()).toBeUndefined();
    await setup.deliver();
    expect(setup.channel.sends).toHaveLength(1);
  });

  it.each([
    [300, true],
    [30, false],
  ])(
    'keeps the order of a session where %i replies wait (idempotent: %s)',
    async (count, sendsAreIdempotent) => {
      using busy = new DeliverySetup({ sendsAreIdempotent });
      const texts = Array.from({ length: count }, (_, index) => `o-${index}`);
      busy.runner.sayAll(texts);
      await busy.deliver();
      expect(busy.texts()).toEqual(texts);
      expect(Object.values(busy.deliveries(busy.session.id))).toEqual(texts.map(() => 'delivered'));
    },
  );

  it('sends nothing twice after a restart', async () => {
    setup.runner.sayAll(['o-1', 'o-2']);
    await setup.deliver();
    setup.rebuild();
    setup.runner.say('o-3');
    await setup.deliver();
    expect(setup.texts()).toEqual(['o-1', 'o-2', 'o-3']);
  });

  it('settles a message only when its replies have been sent', async () => {
    await setup.post(setup.session, 'm-1');
    const statuses: string[] = [];
    const send = setup.channel.send.bind(setup.channel);
    setup.channel.send = (event) => {
      statuses.push(setup.messagesIn(setup.session.id)[0]!.status);
      return send(event);
    };
    setup.runner.say('o-1', { inReplyTo: 'm-1' });
    setup.runner.complete('m-1');
    await setup.deliver();
    expect(statuses).toEqual(['pending']);
    expect(setup.describe()).toEqual({ 'm-1': 'completed 0' });
    expect(setup.settled).toHaveLength(1);
  });

  it('takes what is said in the moment of a reply before it settles what the reply answers', async () => {
    using slow = new DeliverySetup({ settlementWaitMs: 300, sendsAreIdempotent: true });
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
    using setup = new DeliverySetup({
      settlementWaitMs: untilTheTestIsOver,
      sendsAreIdempotent: false,
    });
    await setup.post(setup.session, 'm-1');
    setup.runner.say('o-1', { inReplyTo: 'm-1' });
    setup.runner.complete('m-1');
    await setup.deliver();
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'delivered' });
    expect(setup.describe()).toEqual({ 'm-1': 'completed 0' });
  });

  it('keeps no reply waiting for a settlement that has nothing to settle', async () => {
    using patient = new DeliverySetup({ settlementWaitMs: untilTheTestIsOver });
    await patient.post(patient.session, 'm-1');
    patient.runner.claim('m-1');
    await patient.deliver();
    patient.runner.say('o-1', { inReplyTo: 'm-1' });
    await patient.deliver();
    expect(patient.texts()).toEqual(['o-1']);
  });

  it('honours deliver_after, and does not keep later replies back for it', async () => {
    setup.runner.say('later', { deliverAfter: setup.clock.iso(60_000) });
    setup.runner.say('now');
    await setup.deliver();
    expect(setup.texts()).toEqual(['now']);
    expect(setup.deliversIn()).toBe(60_000);
    setup.rebuild();
    await setup.deliver();
    expect(setup.texts()).toEqual(['now']);
    setup.clock.advance(60_000);
    await setup.deliver();
    expect(setup.texts()).toEqual(['now', 'later']);
    expect(setup.deliversIn()).toBeUndefined();
  });

  it.each([true, false])(
    'finds the platform’s id of what is edited or reacted to (idempotent: %s)',
    async (sendsAreIdempotent) => {
      using setup = new DeliverySetup({ sendsAreIdempotent });
      setup.store.received.insert({
        messagingGroupId: setup.chat.id,
        platformMessageId: 'theirs-1',
        messageId: 'm-1',
        verdicts: [],
        receivedAt: setup.clock.iso(),
      });
      setup.store.received.insert({
        messagingGroupId: setup.addChat({ platformId: 'elsewhere' }).id,
        platformMessageId: 'not-theirs',
        messageId: 'm-elsewhere',
        verdicts: [],
        receivedAt: setup.clock.iso(),
      });
      setup.runner.say('o-1');
      setup.runner.sayContent('o-2', { operation: 'edit', messageId: 'o-1', text: 'better' });
      setup.runner.sayContent('o-3', { operation: 'react', messageId: 'm-1', emoji: '👍' });
      setup.runner.sayContent('o-4', { operation: 'react', messageId: 'm-unknown', emoji: '👎' });
      setup.runner.sayContent('o-5', { operation: 'react', messageId: 'm-elsewhere', emoji: '👎' });
      setup.runner.sayContent('o-6', { operation: 'edit', messageId: 'm-1', text: 'not yours' });
      await setup.deliver();
      expect(setup.channel.sends.map(({ targetPlatformId }) => targetPlatformId)).toEqual([
        null,
        'platform-1',
        'theirs-1',
        null,
        null,
        null,
      ]);
      expect(setup.deliveries(setup.session.id)).toEqual({
        'o-1': 'delivered',
        'o-2': 'delivered',
        'o-3': 'delivered',
        'o-4': 'failed',
        'o-5': 'failed',
        'o-6': 'failed',
      });
      expect(setup.outDeadLetters()).toEqual({
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
    setup.store.destinations.insert(setup.agentGroup.id, destination, setup.clock.iso());
    setup.runner.say(id, { address });
    setup.runner.say('o-2');
    await setup.deliver();
    expect(setup.deliveries(setup.session.id)).toEqual({ [id]: 'failed', 'o-2': 'delivered' });
    expect(setup.outDeadLetters()[id]).toMatch(reason);
    expect(setup.texts()).toEqual(['o-2']);
  });

  it('may write to every chat that is wired to the agent, as long as it is', async () => {
    const other = setup.addWiredChat('chat-2');
    setup.runner.say('o-1', { address: other });
    await setup.deliver();
    setup.store.wirings.delete(setup.store.wirings.listForAgentGroup(setup.agentGroup.id)[0]!.id);
    setup.runner.say('o-2', { address: other });
    await setup.deliver();
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'delivered', 'o-2': 'failed' });
  });

  it('refuses what does not parse, and goes on', async () => {
    setup.runner.sayContent('o-1', { operation: 'explode' });
    setup.runner.sayContent('o-2', { parameters: {} }, { kind: 'system' });
    setup.runner.write({
      id: 'o-3',
      inReplyTo: null,
      deliverAfter: null,
      kind: 'chat',
      address: null,
      content: 'x'.repeat(1024 * 1024 + 1),
    });
    setup.runner.say('o-4', { deliverAfter: 'when pigs fly' });
    setup.runner.say('o-5');
    await setup.deliver();
    expect(setup.texts()).toEqual(['o-5']);
    expect(setup.outDeadLetters()).toMatchObject({
      'o-1': expect.stringContaining('does not fit') as string,
      'o-2': expect.stringContaining('action') as string,
      'o-3': 'its content is too long',
      'o-4': expect.stringContaining('deliver_after') as string,
    });
    expect(setup.deliversIn()).toBeUndefined();
  });

  it('asks for the repair of a session whose outbound.db is damaged, and delivers for the others', async () => {
    const other = setup.addSession();
    setup.runnerOf(other.id).say('o-2');
    writeFileSync(outboundDbPath(setup.folders.outDir(setup.session.id)), 'no database');
    setup.delivery.loop.nudge(setup.session.id);
    setup.delivery.loop.nudge(other.id);
    await setup.delivery.loop.drain();
    expect(setup.damaged).toEqual([setup.session.id]);
    expect(setup.texts()).toEqual(['o-2']);
    await setup.deliver();
    expect(setup.store.repairs.listWanted(setup.session.id)).toHaveLength(1);
    expect(setup.store.sessions.find(setup.session.id)?.status).toBe('active');
  });

  it('says nothing of a session that was never written to', async () => {
    const empty = setup.addSession();
    await setup.deliver(empty);
    await setup.delivery.loop.finish(empty.id, new Set());
    await setup.deliver({ ...empty, id: 's-unknown' });
    await setup.delivery.loop.finish('s-unknown', new Set());
    expect(setup.damaged).toEqual([]);
    expect(setup.deliversIn(empty)).toBeUndefined();
  });
});
