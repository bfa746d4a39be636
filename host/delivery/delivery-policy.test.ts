import { describe, expect, it } from 'vitest';
import type { OutboundRow } from '../../shared/protocol/mailbox/outbound-reader.js';
import { FakeChannel } from '../../test/fakes/fake-channel.js';
import { chatKey, decideDelivery, type DeliveryFacts } from './delivery-policy.js';

const now = '2026-01-31T12:00:00.000Z';
const address = { channelType: 'fake', platformId: 'chat-1', threadId: null };
const cautious = new FakeChannel();
const idempotent = new FakeChannel({ sendsAreIdempotent: true });

const row: OutboundRow = {
  id: 'o-1',
  seq: 3,
  inReplyTo: null,
  timestamp: now,
  deliverAfter: null,
  kind: 'chat',
  channelType: null,
  platformId: null,
  threadId: null,
  content: '{"text":"hi"}',
  recurs: 0,
};

const facts: DeliveryFacts = {
  now,
  record: undefined,
  maybeSent: false,
  address,
  isAllowed: true,
  channel: cautious,
  unknownSends: 'repeat',
};

const sent = { platformMessageId: null };

describe('what becomes of a reply', () => {
  const cases: readonly [
    title: string,
    row: Partial<OutboundRow>,
    facts: Partial<DeliveryFacts>,
    kind: string,
  ][] = [
    ['it is new', {}, {}, 'send'],
    ['it was delivered', {}, { record: { ...sent, status: 'delivered' } }, 'settled'],
    ['it was given up', {}, { record: { ...sent, status: 'failed' } }, 'settled'],
    ['it recurs', { recurs: 1 }, {}, 'refuse'],
    ['its time has come', { deliverAfter: now }, {}, 'send'],
    [
      'its time has come, told by another clock',
      { deliverAfter: '2026-01-31T13:00:00+01:00' },
      {},
      'send',
    ],
    ['its time comes in a moment', { deliverAfter: '2026-01-31T12:00:00.001Z' }, {}, 'not-yet'],
    ['its time is no time', { deliverAfter: 'tomorrow' }, {}, 'refuse'],
    [
      'its time was given up',
      { deliverAfter: '9999-01-01T00:00:00.000Z' },
      { record: { ...sent, status: 'failed' } },
      'settled',
    ],
    ['it names no chat', {}, { address: undefined }, 'refuse'],
    ['it may not go there', {}, { isAllowed: false }, 'refuse'],
    ['there is no such channel', {}, { channel: undefined }, 'refuse'],
    ['it is too long', { content: null }, {}, 'refuse'],
    ['it is no JSON', { content: '{' }, {}, 'refuse'],
    ['it is of no kind that leaves a container', { kind: 'task' }, {}, 'refuse'],
    ['it asks for an action', { kind: 'system', content: '{"action":"x"}' }, {}, 'act'],
  ];

  it.each(cases)('when %s', (_, rowFields, factFields, kind) => {
    const decision = decideDelivery({ ...row, ...rowFields }, { ...facts, ...factFields });
    expect(decision.kind).toBe(kind);
    if (decision.kind === 'refuse') expect(decision.reason).not.toBe('');
  });

  it.each(['+275760-09-13T00:00:00.000Z', '9999-12-31T23:59:59.999Z'])(
    'when its time is %s, waits until a time that sorts behind today’s',
    (deliverAfter) => {
      const decision = decideDelivery({ ...row, deliverAfter }, facts);
      expect(decision.kind).toBe('not-yet');
      const dueAt = decision.kind === 'not-yet' ? decision.dueAt : '';
      expect(dueAt > now).toBe(true);
      expect(Date.parse(dueAt)).not.toBeNaN();
    },
  );
});

describe('what becomes of a reply whose sending was interrupted', () => {
  const interrupted = { record: { ...sent, status: 'sending' } } as const;
  const edit = { content: '{"operation":"edit","messageId":"o-0","text":"hi"}' };
  const reaction = { content: '{"operation":"react","messageId":"m-1","emoji":"hi"}' };

  const cases: readonly [
    title: string,
    row: Partial<OutboundRow>,
    facts: Partial<DeliveryFacts>,
    becomes: 'sent as it is' | 'sent as a repeat' | 'held',
  ][] = [
    ['where that is the policy', {}, interrupted, 'sent as a repeat'],
    ['and had been before', {}, { ...interrupted, maybeSent: true, unknownSends: 'hold' }, 'held'],
    ['by a policy of care', {}, { ...interrupted, unknownSends: 'hold' }, 'held'],
    [
      'on a channel where a repeat does not show',
      {},
      { ...interrupted, channel: idempotent, unknownSends: 'hold' },
      'sent as it is',
    ],
    ['and is an edit', edit, { ...interrupted, unknownSends: 'hold' }, 'sent as it is'],
    ['and is a reaction', reaction, interrupted, 'sent as it is'],
    ['in an earlier try', {}, { maybeSent: true }, 'sent as a repeat'],
    [
      'in an earlier try, and a person wants it sent',
      {},
      { maybeSent: true, unknownSends: 'hold' },
      'sent as a repeat',
    ],
    [
      'in an earlier try, where a repeat does not show',
      {},
      { maybeSent: true, channel: idempotent },
      'sent as it is',
    ],
  ];

  it.each(cases)('%s', (_, rowFields, factFields, becomes) => {
    const decision = decideDelivery({ ...row, ...rowFields }, { ...facts, ...factFields });
    if (becomes === 'held') {
      expect(decision).toMatchObject({ kind: 'refuse', tellsChat: true });
      expect(decision.kind === 'refuse' && decision.reason).toContain('may have arrived');
      return;
    }
    const isRepeat = becomes === 'sent as a repeat';
    expect(decision).toMatchObject({ kind: 'send', isRepeat });
    const chat = decision.kind === 'send' ? decision.chat : undefined;
    const text = chat?.operation === 'react' ? chat.emoji : chat?.text;
    expect(text).toMatch(isRepeat ? /may be a repeat.*\nhi$/ : /^hi$/);
  });
});

describe('the key of a chat', () => {
  it('is the same for all its threads, and for no other chat', () => {
    expect(chatKey({ ...address, threadId: 't-1' })).toBe(chatKey(address));
    expect(chatKey({ ...address, platformId: 'chat-2' })).not.toBe(chatKey(address));
    expect(chatKey({ ...address, channelType: 'other' })).not.toBe(chatKey(address));
  });
});
