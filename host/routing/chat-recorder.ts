import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { NewId } from '../../shared/base/ids.js';
import type { Logger } from '../../shared/base/logger.js';
import type { InboundEvent } from '../channels/channel.js';
import { messagingGroupIdFor, type MessagingGroup } from '../store/messaging-groups.js';
import type { Store } from '../store/store.js';
import { openWiring } from '../store/wirings.js';

export interface ChatRecorderDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: Logger;
  /** The agent group that answers chats which wire themselves. */
  readonly defaultAgentFolder: string;
  readonly wiresItself: (channelType: string) => boolean;
}

/** Records chats that were not known, so that an admin can see and wire them. */
export class ChatRecorder {
  readonly #deps: ChatRecorderDeps;

  constructor(deps: ChatRecorderDeps) {
    this.#deps = deps;
  }

  /** The chat of a message. */
  ensure(event: InboundEvent): MessagingGroup {
    const { store, clock, log } = this.#deps;
    const { channelType, platformId } = event.address;
    const known = store.messagingGroups.findByPlatform(channelType, platformId);
    if (known !== undefined) return known;
    const chat: MessagingGroup = {
      id: messagingGroupIdFor(channelType, platformId),
      channelType,
      platformId,
      name: event.chatName ?? null,
      isGroup: event.isGroup,
      adminUserId: null,
      timeZone: null,
      createdAt: isoAt(clock.now()),
    };
    // Both or neither: a chat that is known already does not wire itself any more.
    store.transaction(() => {
      store.messagingGroups.insert(chat);
      if (this.#deps.wiresItself(channelType)) this.#wireToDefault(chat);
    });
    log.info({ channel: channelType, messagingGroup: chat.id }, 'unknown chat recorded');
    return chat;
  }

  #wireToDefault(chat: MessagingGroup): void {
    const { store, clock, newId, defaultAgentFolder, log } = this.#deps;
    const agentGroup = store.agentGroups.findByFolder(defaultAgentFolder);
    if (agentGroup === undefined) return;
    const of = { messagingGroupId: chat.id, agentGroupId: agentGroup.id };
    store.wirings.insert(openWiring({ id: newId('w'), ...of, createdAt: isoAt(clock.now()) }));
    log.info({ messagingGroup: chat.id, agentGroup: agentGroup.id }, 'chat wired itself');
  }
}
