/** Lists what is planned in the files of a session that central.db does not know. */
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { Address } from '../../../shared/protocol/session-message.js';
import { taskIdOf } from '../../../shared/protocol/task-run-id.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { NewTask } from '../../store/tasks.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import type { SessionRegistry } from '../session-registry.js';
import { toTaskRow } from '../tasks/task-row.js';

export interface FoundTask {
  /** Of which session and chat it is, is for the reader to say. */
  readonly task: Omit<NewTask, 'sessionId' | 'messagingGroupId'>;
  /** Of the chat that is told of it. */
  readonly address: Address | null;
}

export async function readFoundTasks(
  mailbox: Mailbox,
  sessionId: string,
  open: readonly OpenInbound[],
): Promise<readonly FoundTask[]> {
  const rows = open.filter(({ kind, status }) => kind === 'task' && status === 'pending');
  const ids = rows.map(({ id }) => id);
  const texts = await mailbox.inbound(sessionId, 'findTexts', ids);
  return rows.map((row) => ({
    task: {
      id: taskIdOf(row),
      messageId: row.id,
      dueAt: row.timestamp,
      recurrence: row.recurrence,
      timeZone: row.timeZone,
      text: texts.get(row.id) ?? '',
      createdAt: row.timestamp,
    },
    address: row.address,
  }));
}

/** Plans them in another session, by the same ids, and takes them back where they were. */
export async function moveTasks(
  {
    store,
    mailbox,
    sessions,
  }: { readonly store: Store; readonly mailbox: Mailbox; readonly sessions: SessionRegistry },
  move: { readonly from: string; readonly to: Session; readonly tasks: readonly FoundTask[] },
): Promise<void> {
  const { from, to, tasks } = move;
  for (const { task: found, address } of tasks) {
    const chat =
      address === null
        ? undefined
        : store.messagingGroups.findByPlatform(address.channelType, address.platformId);
    const messagingGroupId = chat?.id ?? to.messagingGroupId;
    const task: NewTask = { ...found, sessionId: to.id, messagingGroupId };
    const row = toTaskRow(store, to, task);
    await mailbox.post(to.id, { ...sessions.projectionOf(to), row });
    store.transaction(() => {
      store.tasks.set(task);
      store.dueItems.advance(to.id, 'wake', task.dueAt);
    });
    await mailbox.inbound(from, 'cancelTask', {
      taskId: task.id,
      begunBefore: undefined,
      refusesBegun: false,
    });
  }
}
