import { chatName } from '../../operations/references.js';
import { askerOf } from '../../sessions/agent-conversation.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';

/** Finds what people call a session's agent group and chat. */
export function sessionNamer(
  store: Store,
): (session: Session) => { readonly agentGroup: string; readonly chat: string | null } {
  const folders = new Map(store.agentGroups.list().map(({ id, folder }) => [id, folder]));
  const chats = new Map(store.messagingGroups.list().map((chat) => [chat.id, chatName(chat)]));
  return (session) => {
    const { agentGroupId, messagingGroupId } = session;
    const asker = askerOf(session);
    const chat =
      messagingGroupId === null ? null : (chats.get(messagingGroupId) ?? messagingGroupId);
    return {
      agentGroup: folders.get(agentGroupId) ?? agentGroupId,
      chat: asker === undefined ? chat : `agent:${asker}`,
    };
  };
}
