import { BerthError } from '../../shared/base/errors.js';
import { SessionLifecycle } from '../sessions/session-lifecycle.js';
import type { Session } from '../store/sessions.js';
import type { DatabaseScope } from './operation.js';

export interface RemovalRequest {
  /** Names what is to be deleted, for a sentence: `The agent group helper`. */
  readonly subject: string;
  readonly sessions: readonly Session[];
  readonly withSessions: boolean;
}

/**
 * Takes ended sessions away with their files, so that what they refer to can go. Returns their ids. Throws in_use while
 * one is active, has a container or something that is not settled, and when it was not asked for.
 */
export function removeEndedSessions(
  { store, clock, discardFolder }: Pick<DatabaseScope, 'store' | 'clock' | 'discardFolder'>,
  request: RemovalRequest,
): readonly string[] {
  const { subject, sessions, withSessions } = request;
  const active = sessions.filter(({ status }) => status === 'active');
  if (active.length > 0) {
    throw new BerthError('in_use', `${subject} has ${describeSessions(active, 'active')}.`, {
      next: 'Close with `berth sessions close ID` what is to end.',
    });
  }
  const running = sessions.filter(({ containerStatus }) => containerStatus !== 'stopped');
  if (running.length > 0) {
    throw new BerthError('in_use', `${subject} has ${describeSessions(running, 'ending')}.`, {
      next: 'Try again in a moment; where no daemon runs, start it once, so that it ends the containers.',
    });
  }
  const busy = sessions.filter(({ id }) => hasWork(store, id));
  if (busy.length > 0) {
    throw new BerthError('in_use', `${subject} has ${describeSessions(busy, 'unsettled')}.`, {
      next: 'Try again in a moment; where no daemon runs, start it once, so that it tells the chat what is given up.',
    });
  }
  if (sessions.length > 0 && !withSessions) {
    throw new BerthError('in_use', `${subject} has ${describeSessions(sessions, 'ended')}.`, {
      next: 'Add --with-sessions to delete them too, with their files.',
    });
  }
  const lifecycle = new SessionLifecycle({ store, clock });
  for (const { id } of sessions) lifecycle.remove(id, 'somebody has deleted it');
  // Last: what is taken away here comes back with no transaction.
  for (const { id } of sessions) discardFolder(id);
  return sessions.map(({ id }) => id);
}

/** Messages in it are not given up yet, or replies wait to be sent. */
function hasWork({ dueItems }: DatabaseScope['store'], sessionId: string): boolean {
  return (['wake', 'deliver'] as const).some(
    (kind) => dueItems.find(sessionId, kind) !== undefined,
  );
}

const named = 3;

function describeSessions(sessions: readonly Session[], how: string): string {
  const ids = sessions.slice(0, named).map(({ id }) => id);
  const more = sessions.length > named ? ', …' : '';
  const noun = sessions.length === 1 ? 'session' : 'sessions';
  return `${sessions.length} ${how} ${noun} (${ids.join(', ')}${more})`;
}
