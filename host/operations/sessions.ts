import { z } from 'zod';
import { isoAt } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import { SessionLifecycle } from '../sessions/session-lifecycle.js';
import type { Session } from '../store/sessions.js';
import type { SessionEvent } from '../store/session-events.js';
import { describeEvent } from './event-words.js';
import { removeEndedSessions } from './ended-sessions.js';
import { inDaemon, onDatabase } from './operation.js';
import { getSession } from './references.js';

/** In one answer; more are read from the last seq on. */
const mostEvents = 1_000;

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

export const reopenSession = onDatabase({
  name: 'sessions.reopen',
  summary: 'Takes a closed conversation into use again, with all that was said in it.',
  input: oneSession,
  effect: 'writes',
  run: ({ store, clock }, { session: reference }) => {
    const session = getSession(store, reference);
    const { id, status } = session;
    if (status !== 'closed' || store.sessions.listPrewarmed().some((one) => one.id === id)) {
      throw new BerthError('invalid_input', `The session ${id} cannot be reopened.`, {
        next: 'A session can be that was closed, and that somebody has used.',
      });
    }
    const present = store.sessions.findActive(session);
    if (present !== undefined) {
      throw new BerthError('in_use', `Its conversation has the session ${present.id} now.`, {
        next: `Close that one first: \`berth sessions close ${present.id}\`.`,
      });
    }
    new SessionLifecycle({ store, clock }).reopen(id);
    return { session: store.sessions.find(id) ?? session };
  },
});

export const listEvents = onDatabase({
  name: 'sessions.events',
  summary: 'Lists what happened to sessions and messages, in order.',
  input: z.object({
    /** Its id, or the beginning of one; left out: all, and what belongs to none. */
    session: z.string().optional(),
    /** The last seq that is known already: the next ones after it. Left out: the newest. */
    after: z.number().int().min(0).optional(),
    limit: z.number().int().min(1).max(mostEvents).default(50),
  }),
  effect: 'reads',
  run: ({ store }, { session, after, limit }): readonly ToldEvent[] => {
    const { events } = store;
    if (session === undefined) {
      return (after === undefined ? events.listNewest(limit) : events.listAfter(after, limit)).map(
        tell,
      );
    }
    // The events of one that was deleted are kept.
    const isDeleted =
      store.sessions.find(session) === undefined && events.findLast(session) !== undefined;
    const id = isDeleted ? session : getSession(store, session).id;
    const found =
      after === undefined
        ? events.listForSession(id, limit)
        : events.listOfSessionAfter(id, after, limit);
    return found.map(tell);
  },
});

/** An event, and what it means. */
export interface ToldEvent extends SessionEvent {
  /** A sentence. */
  readonly what: string;
}

function tell(event: SessionEvent): ToldEvent {
  return { ...event, what: describeEvent(event.name, event.detail) };
}

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
