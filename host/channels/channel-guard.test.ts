import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../shared/base/logger.js';
import { guardEvents } from './channel-guard.js';
import type { ChannelEvents, InboundEvent, InboundOutcome } from './channel.js';

const event: InboundEvent = {
  address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
  platformMessageId: 'p-1',
  sender: { id: 'u-1', name: 'Ann' },
  text: 'hi',
  isGroup: false,
  isMention: false,
};

/** Returns what the guard lets through. */
function knock(more: Partial<InboundEvent>): {
  outcome: Promise<InboundOutcome>;
  taken: InboundEvent[];
} {
  const taken: InboundEvent[] = [];
  const events: ChannelEvents = {
    onInbound: (one) => {
      taken.push(one);
      return Promise.resolve({ kind: 'accepted', messageId: 'm-1' });
    },
    onListening: () => undefined,
  };
  return { outcome: guardEvents(events, silentLogger).onInbound({ ...event, ...more }), taken };
}

describe('the guard of all channels', () => {
  it('lets a message through as it is, whatever scripts and spellings its ids are in', async () => {
    const address = { ...event.address, platformId: 'e\u0301\u200b\n-1', threadId: '👍' };
    const { outcome, taken } = knock({ address });
    expect(await outcome).toMatchObject({ kind: 'accepted' });
    expect(taken).toEqual([{ ...event, address }]);
  });

  it('makes what people wrote well-formed', () => {
    const { taken } = knock({
      text: 'a\ud83d\0',
      sender: { id: 'u-1', name: '\udc4d' },
      chatName: '\ud83d',
      replyTo: 'p\0',
      files: [{ name: '\ud83d.png', path: '/tmp/x' }],
    });
    expect(taken).toMatchObject([
      {
        text: 'a\ufffd\ufffd',
        sender: { id: 'u-1', name: '\ufffd' },
        chatName: '\ufffd',
        replyTo: 'p\ufffd',
        files: [{ name: '\ufffd.png', path: '/tmp/x' }],
      },
    ]);
  });

  it.each<[string, Partial<InboundEvent>, string]>([
    ['chat', { address: { ...event.address, platformId: '\ud83d' } }, 'the chat’s id holds half'],
    ['thread', { address: { ...event.address, threadId: 'a\0' } }, 'the thread’s id holds a NUL'],
    ['message', { platformMessageId: '' }, 'the message’s id is empty'],
    ['message', { platformMessageId: 'x'.repeat(2_000) }, 'the message’s id is longer'],
    ['sender', { sender: { id: '\udc00' } }, 'the sender’s id holds half'],
  ])('refuses the id of a %s that would not come back as it was', async (_, more, reason) => {
    const { outcome, taken } = knock(more);
    const answer = await outcome;
    expect(answer.kind === 'refused' && answer.reason).toContain(reason);
    expect(taken).toEqual([]);
  });
});
