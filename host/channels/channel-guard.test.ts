import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../shared/base/logger.js';
import { guardEvents } from './channel-guard.js';
import type { ChannelEvent, ChannelEvents, InboundEvent, InboundOutcome } from './channel.js';

const event = {
  type: 'message',
  address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
  platformMessageId: 'p-1',
  sender: { id: 'u-1', name: 'Ann' },
  text: 'hi',
  isGroup: false,
  isMention: false,
} satisfies ChannelEvent;

/** Returns what the guard lets through. */
function knock(more: Partial<InboundEvent>): ReturnType<typeof hand> {
  return hand({ ...event, ...more });
}

function hand(given: ChannelEvent): {
  outcome: Promise<InboundOutcome>;
  taken: ChannelEvent[];
} {
  const taken: ChannelEvent[] = [];
  const events: ChannelEvents = {
    onInbound: (one) => {
      taken.push(one);
      return Promise.resolve({ kind: 'accepted', messageId: 'm-1' });
    },
    onListening: () => undefined,
  };
  return { outcome: guardEvents(events, silentLogger).onInbound(given), taken };
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

  const about = {
    address: event.address,
    platformMessageId: 'p-1',
    sender: { id: 'u-1', name: '\ud83d' },
  };

  it.each<[ChannelEvent, object]>([
    [{ type: 'action', ...about, actionId: 'a\ud83d' }, { actionId: 'a\ufffd' }],
    [{ type: 'reaction', ...about, emoji: '\udc4d', isRemoved: false }, { emoji: '\ufffd' }],
    [{ type: 'edit', ...about, text: 'b\0' }, { text: 'b\ufffd' }],
    [{ type: 'receipt', ...about, status: 'read' }, { status: 'read' }],
  ])('makes what else came well-formed, too: %j', (given, expected) => {
    const sender = { id: 'u-1', name: '\ufffd' };
    expect(hand(given).taken).toEqual([{ ...given, ...expected, sender }]);
  });

  it('refuses the ids of every type of event', async () => {
    const { outcome, taken } = hand({
      type: 'receipt',
      ...about,
      platformMessageId: '',
      status: 'read',
    });
    expect(await outcome).toMatchObject({ kind: 'refused' });
    expect(taken).toEqual([]);
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
