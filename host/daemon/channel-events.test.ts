import { expect, it } from 'vitest';
import type { ChannelEvent, InboundEvent, InboundOutcome } from '../channels/channel.js';
import { handleChannelEvent } from './channel-events.js';

const about = {
  address: { channelType: 'ops', platformId: 'local', threadId: null },
  platformMessageId: 'p-1',
  sender: { id: 'me' },
};

function take(event: ChannelEvent): { outcome: Promise<InboundOutcome>; routed: InboundEvent[] } {
  const routed: InboundEvent[] = [];
  const outcome = handleChannelEvent(event, (message) => {
    routed.push(message);
    return Promise.resolve({ kind: 'accepted', messageId: 'm-1' });
  });
  return { outcome, routed };
}

it('a message is routed', async () => {
  const message = {
    type: 'message',
    ...about,
    text: 'hi',
    isGroup: false,
    isMention: false,
  } as const;
  const { outcome, routed } = take(message);
  expect(await outcome).toEqual({ kind: 'accepted', messageId: 'm-1' });
  expect(routed).toEqual([message]);
});

it.each<ChannelEvent>([
  { type: 'action', ...about, actionId: 'yes' },
  { type: 'reaction', ...about, emoji: '👍', isRemoved: false },
  { type: 'edit', ...about, text: 'ho' },
  { type: 'receipt', ...about, status: 'read' },
])('nobody takes what else may come yet, and the channel is told so: $type', async (event) => {
  const { outcome, routed } = take(event);
  expect(await outcome).toEqual({ kind: 'refused', reason: 'Berth takes messages only' });
  expect(routed).toEqual([]);
});
