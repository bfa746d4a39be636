import { toBerthError } from '../../../shared/base/errors.js';
import { Deadline } from '../../../shared/base/lifecycle.js';
import { toWellFormed } from '../../../shared/base/well-formed.js';
import type { ChannelPort, OutboundEvent, SendOutcome } from '../../channels/channel.js';

/**
 * Sends through a channel that may throw or hang. Resolves with an outcome within `timeoutMs` milliseconds and never
 * rejects: an attempt that threw, or took longer, is `unknown`.
 */
export async function sendBounded(
  channel: ChannelPort,
  event: OutboundEvent,
  timeoutMs: number,
): Promise<SendOutcome> {
  const sending = attempt(channel, event);
  const ended = await new Deadline(timeoutMs).wait(sending);
  if (ended === 'done') return sending;
  const reason = `the ${channel.id} channel did not answer within ${timeoutMs} ms`;
  return { kind: 'unknown', reason };
}

/** Nobody knows how far a channel that threw had come; it may also throw before it returns a promise. */
async function attempt(channel: ChannelPort, event: OutboundEvent): Promise<SendOutcome> {
  try {
    return await channel.send(withWellFormedText(event));
  } catch (error) {
    return { kind: 'unknown', reason: toBerthError(error).message };
  }
}

/** An agent may write what no platform takes: half characters in JSON, and NUL. */
function withWellFormedText(event: OutboundEvent): OutboundEvent {
  const { chat } = event;
  const text =
    chat.operation === 'react'
      ? { ...chat, emoji: toWellFormed(chat.emoji) }
      : { ...chat, text: toWellFormed(chat.text) };
  return { ...event, chat: text };
}
