import type {
  ChannelEvent,
  ChannelEventTable,
  ChannelEventType,
  InboundEvent,
  InboundOutcome,
} from '../channels/channel.js';

type Handlers = {
  readonly [Type in ChannelEventType]: (event: ChannelEventTable[Type]) => Promise<InboundOutcome>;
};

/** Takes what a channel hands over: messages are routed; of what else there is, the channel is told that nobody takes it. */
export function handleChannelEvent(
  event: ChannelEvent,
  route: (message: InboundEvent) => Promise<InboundOutcome>,
): Promise<InboundOutcome> {
  const handlers: Handlers = {
    message: route,
    action: refuse,
    reaction: refuse,
    edit: refuse,
    receipt: refuse,
  };
  const handle = handlers[event.type] as (event: ChannelEvent) => Promise<InboundOutcome>;
  return handle(event);
}

const notTaken = 'Berth takes messages only';

function refuse(): Promise<InboundOutcome> {
  return Promise.resolve({ kind: 'refused', reason: notTaken });
}
