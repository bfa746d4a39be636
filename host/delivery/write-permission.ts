import type { Address } from '../../shared/protocol/session-message.js';
import { agentChannelType, askerOf } from '../sessions/agent-conversation.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';

/** An agent may write to the chats that are wired to it, to its destinations, and to the agent that it works for. */
export function mayWriteTo(store: Store, session: Session, address: Address): boolean {
  if (address.channelType === agentChannelType) {
    return askerOf(session) === address.platformId && address.threadId === session.id;
  }
  const chat = store.messagingGroups.findByPlatform(address.channelType, address.platformId);
  if (chat?.id === session.messagingGroupId) return true;
  const isDestination = store.destinations
    .list(session.agentGroupId)
    .some(
      ({ channelType, platformId }) =>
        channelType === address.channelType && platformId === address.platformId,
    );
  if (isDestination || chat === undefined) return isDestination;
  return store.wirings
    .listForMessagingGroup(chat.id)
    .some((wiring) => wiring.agentGroupId === session.agentGroupId);
}
