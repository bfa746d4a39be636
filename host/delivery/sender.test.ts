import { describe, expect, it } from 'vitest';
import type { ChatOut } from '../../shared/protocol/session-message.js';
import type { Channel, OutboundEvent } from '../channels/channel.js';
import { sendBounded } from './sender.js';

/** What the channel was given to send. */
async function sent(chat: ChatOut): Promise<ChatOut | undefined> {
  const taken: OutboundEvent[] = [];
  const channel: Channel = {
    type: 'fake',
    sendsAreIdempotent: true,
    wiresItself: false,
    start: () => Promise.resolve(),
    refuse: () => undefined,
    send: (event) => {
      taken.push(event);
      return Promise.resolve({ kind: 'sent', platformMessageId: null });
    },
    stop: () => Promise.resolve(),
  };
  const address = { channelType: 'fake', platformId: 'chat-1', threadId: null };
  const event = { address, messageId: 'o-1', inReplyTo: null, targetPlatformId: null, files: [] };
  await sendBounded(channel, { ...event, chat }, 1_000);
  return taken[0]?.chat;
}

describe('what an agent says', () => {
  it.each<[ChatOut, object]>([
    [{ operation: 'post', text: 'a\ud83d\0', files: [] }, { text: 'a\ufffd\ufffd' }],
    [{ operation: 'edit', messageId: 'o-1', text: '\udc4d' }, { text: '\ufffd' }],
    [{ operation: 'react', messageId: 'o-1', emoji: '\ud83d' }, { emoji: '\ufffd' }],
    [{ operation: 'post', text: 'grüß dich 👋', files: [] }, { text: 'grüß dich 👋' }],
  ])('is well-formed when a channel gets it: %j', async (chat, expected) => {
    expect(await sent(chat)).toEqual({ ...chat, ...expected });
  });
});
