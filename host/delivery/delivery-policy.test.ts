import { describe, expect, it } from 'vitest';
import type { OutboundRow } from '../../shared/protocol/outbound-reader.js';
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
};

const facts: DeliveryFacts = {
  now,
  record: undefined,
  address,
  isAllowed: true,
  channel: cautious,
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
    [
      'it was being sent, where a repeat would show',
      {},
      { record: { ...sent, status: 'sending' } },
      'refuse',
    ],
    [
      'it was being sent, where a repeat does not show',
      {},
      { record: { ...sent, status: 'sending' }, channel: idempotent },
      'send',
    ],
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
    ['it asks for an action', { kind: 'system', content: '{"action":"x"}' }, {}, 'refuse'],
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

describe('the key of a chat', () => {
  it('is the same for all its threads, and for no other chat', () => {
    expect(chatKey({ ...address, threadId: 't-1' })).toBe(chatKey(address));
    expect(chatKey({ ...address, platformId: 'chat-2' })).not.toBe(chatKey(address));
    expect(chatKey({ ...address, channelType: 'other' })).not.toBe(chatKey(address));
  });
});
