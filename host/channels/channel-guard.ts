/** Guards what every channel hands over: text that can be stored, and ids that come back as they were. */
import type { Logger } from '../../shared/base/logger.js';
import { findStorageProblem, toWellFormed } from '../../shared/base/well-formed.js';
import type { ChannelEvent, ChannelEvents, ChannelEventType, InboundOutcome } from './channel.js';

type EventOf<Type extends ChannelEventType> = Extract<ChannelEvent, { readonly type: Type }>;

/** In UTF-16 units; ids of platforms are far shorter. */
const longestId = 1_024;

/**
 * The events as a channel may call them. An event that cannot be stored is refused as an outcome, so that it is not
 * sent again.
 */
export function guardEvents(events: ChannelEvents, log: Logger): ChannelEvents {
  return {
    onInbound: (event) => {
      const problem = findIdProblem(event);
      if (problem === undefined) return events.onInbound(withStorableText(event));
      log.warn({ channel: event.address.channelType, problem }, 'message refused: its ids');
      return Promise.resolve(refusal(problem));
    },
    onListening: (chat) => {
      if (problemOf('the chat’s id', chat.platformId) === undefined) events.onListening(chat);
    },
  };
}

function refusal(problem: string): InboundOutcome {
  return { kind: 'refused', reason: problem, next: 'Send it again with another id.' };
}

/** A sentence without its full stop. */
function findIdProblem({ address, platformMessageId, sender }: ChannelEvent): string | undefined {
  return (
    problemOf('the chat’s id', address.platformId) ??
    problemOf('the thread’s id', address.threadId) ??
    problemOf('the message’s id', platformMessageId) ??
    problemOf('the sender’s id', sender.id)
  );
}

function problemOf(what: string, id: string | null): string | undefined {
  if (id === null) return undefined;
  const problem = id === '' ? 'is empty' : (findLengthProblem(id) ?? findStorageProblem(id));
  return problem === undefined ? undefined : `${what} ${problem}`;
}

function findLengthProblem(id: string): string | undefined {
  return id.length > longestId ? `is longer than ${longestId} characters` : undefined;
}

/** By the type of an event: the same with text that can be stored. */
const storable: {
  readonly [Type in ChannelEventType]: (event: EventOf<Type>) => EventOf<Type>;
} = {
  message: messageWithStorableText,
  action: (event) => ({ ...event, actionId: toWellFormed(event.actionId) }),
  reaction: (event) => ({ ...event, emoji: toWellFormed(event.emoji) }),
  edit: (event) => ({ ...event, text: toWellFormed(event.text) }),
  receipt: (event) => event,
};

function withStorableText(event: ChannelEvent): ChannelEvent {
  const make = storable[event.type] as (event: ChannelEvent) => ChannelEvent;
  const { sender } = event;
  if (sender.name === undefined) return make(event);
  return make({ ...event, sender: { ...sender, name: toWellFormed(sender.name) } });
}

function messageWithStorableText(event: EventOf<'message'>): EventOf<'message'> {
  const { chatName, replyTo, files } = event;
  return {
    ...event,
    text: toWellFormed(event.text),
    ...(chatName === undefined ? {} : { chatName: toWellFormed(chatName) }),
    ...(replyTo === undefined ? {} : { replyTo: toWellFormed(replyTo) }),
    ...(files === undefined
      ? {}
      : { files: files.map((file) => ({ ...file, name: toWellFormed(file.name) })) }),
  };
}
