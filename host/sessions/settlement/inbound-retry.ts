/** Gives a message that was given up another chance, because a person asked for it. Asking twice does no harm. */
import { cp } from 'node:fs/promises';
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { BerthError, errnoOf } from '../../../shared/base/errors.js';
import type { StoredInbound } from '../../../shared/protocol/mailbox/inbound-reopener.js';
import { taskIdOf } from '../../../shared/protocol/task-run-id.js';
import { messageKinds } from '../../../shared/protocol/session-message.js';
import { inboxDir } from '../../../shared/protocol/workspace.js';
import type { DeadLetter } from '../../store/messages/dead-letters.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import { retryLimitsOf } from './retry-limits.js';
import { nextRound } from '../retry-policy.js';
import type { SessionFolders } from '../session-folder.js';
import type { SessionRegistry } from '../session-registry.js';
import { failureNoticeId } from './settlement.js';

export interface InboundRetryDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly folders: SessionFolders;
  readonly sessions: SessionRegistry;
  readonly clock: Clock;
}

/**
 * Returns the session that the message waits in now: its own, or the conversation's present one where that has ended;
 * undefined where it had been dealt with meanwhile. Throws not_found where the message is not there any more, and what
 * the mailbox throws.
 */
export async function retryInbound(
  deps: InboundRetryDeps,
  session: Session,
  letter: DeadLetter,
): Promise<string | undefined> {
  const { store, mailbox, sessions, clock } = deps;
  const message = await mailbox.inbound(session.id, 'findMessage', letter.messageId);
  if (message === undefined) throw isGone(letter);
  if (message.status !== 'failed') {
    store.deadLetters.remove(letter);
    return undefined;
  }
  const isInUse = session.status === 'active';
  const target = isInUse ? session : sessions.ensure(session);
  const recurrence = recurrenceOf(store, message);
  const finish = (): void => {
    const dueAt = isoAt(clock.now());
    store.transaction(() => {
      store.dueItems.set({ sessionId: target.id, kind: 'wake', dueAt, attempts: 0 });
      store.deadLetters.remove(letter);
      const { id: sessionId, messagingGroupId } = target;
      const of = { sessionId, messagingGroupId, messageId: message.id };
      const detail = { why: 'somebody has asked for it' };
      store.events.add({ name: 'message.retried', ...of, detail }, dueAt);
    });
  };
  if (!isInUse) {
    await postAnew(deps, session, target, { ...message, recurrence });
    finish();
    return target.id;
  }
  const tries = nextRound(message.tries, retryLimitsOf(store, session));
  // Should it be given up again, that is told again.
  store.notices.remove(failureNoticeId(session.id, message.id));
  await mailbox.inbound(session.id, 'reopenMessage', message.id, tries, recurrence);
  // Without a pause: it may be taken, and given up once more, from here on.
  finish();
  return target.id;
}

/** A run of a series goes on with it only while the series does. */
function recurrenceOf(store: Store, message: StoredInbound): string | null {
  return store.tasks.find(taskIdOf(message)) === undefined ? null : message.recurrence;
}

/** Under the same id, with its files: posted twice, it is there once. */
async function postAnew(
  { mailbox, folders, sessions }: InboundRetryDeps,
  from: Session,
  to: Session,
  message: StoredInbound,
): Promise<void> {
  const { id, timestamp, recurrence, address, content } = message;
  const kind = messageKinds.find((known) => known === message.kind);
  if (kind === undefined)
    throw new BerthError('content_invalid', `No message is a ${message.kind}.`);
  const source = inboxDir(folders.inDir(from.id), id);
  await cp(source, inboxDir(folders.inDir(to.id), id), { recursive: true }).catch(
    (error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    },
  );
  await mailbox.post(to.id, {
    ...sessions.projectionOf(to),
    row: {
      id,
      kind,
      timestamp,
      status: 'pending',
      processAfter: null,
      recurrence,
      address,
      content,
    },
  });
}

function isGone({ messageId }: DeadLetter): BerthError {
  return new BerthError(
    'not_found',
    `The message ${messageId} is not in the files of its session any more.`,
    { next: 'Forget it with `berth dead-letters purge`.' },
  );
}
