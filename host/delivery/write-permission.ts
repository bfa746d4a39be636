import type { Address } from '../../shared/protocol/session-message.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';

/** An agent may write to the chats that are wired to it and to its destinations. */
export function mayWriteTo(store: Store, session: Session, address: Address): boolean {
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
