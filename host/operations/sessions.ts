import { z } from 'zod';
import { isoAt } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import { SessionLifecycle } from '../sessions/session-lifecycle.js';
import type { Session } from '../store/sessions.js';
import { removeEndedSessions } from './ended-sessions.js';
import { inDaemon, onDatabase } from './operation.js';
import { getSession } from './references.js';

/** `session`: its id, or the beginning of one. */
const oneSession = z.object({ session: z.string() });

export const closeSession = onDatabase({
  name: 'sessions.close',
  summary: 'Ends a conversation: the daemon gives up what waits in it, and tells the chat.',
  input: oneSession,
  effect: 'writes',
  run: ({ store, clock }, { session: reference }) => {
    const session = getSession(store, reference);
    const wake = store.dueItems.find(session.id, 'wake');
    const now = isoAt(clock.now());
    if (session.status === 'active') {
      new SessionLifecycle({ store, clock }).close(
        session.id,
        'closed with `berth sessions close`',
      );
      if (wake !== undefined) {
        store.dueItems.set({ sessionId: session.id, kind: 'wake', dueAt: now, attempts: 0 });
      }
    }
    // They belong to the conversation; the daemon ends their rows.
    const endedTasks = store.tasks.deleteForSession(session.id);
    const isPlanOnly = endedTasks > 0 && (wake?.dueAt ?? '') > now;
    return {
      session: store.sessions.find(session.id) ?? session,
      wasActive: session.status === 'active',
      hadWork: wake !== undefined && !isPlanOnly,
      endedTasks,
    };
  },
});

export const deleteSession = onDatabase({
  name: 'sessions.delete',
  summary: 'Takes a conversation that has ended away, with its files, for good.',
  input: oneSession,
  effect: 'writes',
  run: (scope, { session: reference }) => {
    const session = getSession(scope.store, reference);
    const subject = `The conversation ${session.id}`;
    removeEndedSessions(scope, { subject, sessions: [session], withSessions: true });
    return { deleted: session.id };
  },
});

export const restartSession = inDaemon({
  name: 'sessions.restart',
  summary: 'Ends the container of a conversation; what waits in it is given to a new one.',
  input: oneSession,
  run: ({ store, containers }, { session: reference }) => {
    const session = getSession(store, reference);
    assertOpen(session);
    const hadContainer = containers.restart(session.id, 'somebody asked for another one');
    return Promise.resolve({ session: session.id, hadContainer });
  },
});

function assertOpen({ id, status }: Session): void {
  if (status === 'active' || status === 'warm') return;
  throw new BerthError('invalid_input', `The conversation ${id} is ${status}.`, {
    next: 'Say something in its chat: that begins another.',
  });
}
