import type { NewInboundRow } from '../../../shared/protocol/mailbox/inbound-rows.js';
import { encodeContent, type Address } from '../../../shared/protocol/session-message.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { NewTask } from '../../store/tasks.js';

/** The messages_in row of a task's next run. The reply to it goes to the task's chat. */
export function toTaskRow(store: Store, session: Session, task: NewTask): NewInboundRow {
  const { messageId, dueAt, recurrence, text, timeZone } = task;
  return {
    id: messageId,
    kind: 'task',
    timestamp: dueAt,
    status: 'pending',
    processAfter: dueAt,
    recurrence,
    address: addressOf(store, session, task),
    content: encodeContent({
      kind: 'task',
      task: { text, ...(timeZone === null ? {} : { timeZone }) },
    }),
  };
}

function addressOf(
  store: Store,
  { threadId }: Session,
  { messagingGroupId }: NewTask,
): Address | null {
  const chat = store.messagingGroups.find(messagingGroupId ?? '');
  if (chat === undefined) return null;
  return { channelType: chat.channelType, platformId: chat.platformId, threadId };
}
