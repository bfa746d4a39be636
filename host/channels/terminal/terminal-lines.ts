import type { OutboundEvent } from '../channel.js';
import type { SpokenLine } from './terminal-protocol.js';

/** The line that a client is told; undefined for an edit or a reaction whose message is not known. */
export function spokenLineOf(event: OutboundEvent): SpokenLine | undefined {
  const { chat, targetPlatformId: target, messageId, inReplyTo } = event;
  const { platformId, threadId } = event.address;
  const spoken = { platformId, threadId, inReplyTo, messageId };
  if (chat.operation === 'post') {
    const files = event.files.map(({ name, path }) => ({ name, path }));
    const { question } = event;
    const asks = question === undefined ? {} : { question };
    return { type: 'reply', ...spoken, text: chat.text, files, ...asks };
  }
  if (target === null) return undefined;
  return chat.operation === 'edit'
    ? { type: 'edit', ...spoken, target, text: chat.text }
    : { type: 'react', ...spoken, target, emoji: chat.emoji };
}
