import { describe, expect, it } from 'vitest';
import type { ChatOut } from '../../../shared/protocol/session-message.js';
import type { ChannelPort, OutboundEvent } from '../../channels/channel.js';
import { sendBounded } from './attempt.js';

function channelThat(send: ChannelPort['send']): ChannelPort {
  return {
    id: 'fake',
    sendsAreIdempotent: true,
    wiresItself: false,
    send,
    settled: () => undefined,
  };
}

const address = { channelType: 'fake', platformId: 'chat-1', threadId: null };
const event = { address, messageId: 'o-1', inReplyTo: null, targetPlatformId: null, files: [] };

/** The chat as the channel was given it. */
async function sent(chat: ChatOut): Promise<ChatOut | undefined> {
  const taken: OutboundEvent[] = [];
  const channel = channelThat((given) => {
    taken.push(given);
    return Promise.resolve({ kind: 'sent', platformMessageId: null });
  });
  await sendBounded(channel, { ...event, chat }, 1_000);
  return taken[0]?.chat;
}

describe('an attempt to send', () => {
  const late = 'the fake channel did not answer within 20 ms';

  it.each<[string, ChannelPort['send'], string]>([
    ['rejects', () => Promise.reject(new Error('a bug')), 'a bug'],
    [
      'throws',
      () => {
        throw new Error('a bug');
      },
      'a bug',
    ],
    ['never answers', () => new Promise(() => undefined), late],
  ])('ends as unknown where the channel %s', async (_name, send, reason) => {
    const chat: ChatOut = { operation: 'post', text: 'hello', files: [] };
    const outcome = await sendBounded(channelThat(send), { ...event, chat }, 20);
    expect(outcome).toEqual({ kind: 'unknown', reason });
  });
});

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
