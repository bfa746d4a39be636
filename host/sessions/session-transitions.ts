/** Says which status of a session may follow which. Pure. */
import type { SessionStatus } from '../store/sessions.js';
import type { EventName } from '../store/session-events.js';

/**
 * `take`: a prewarmed session finds its conversation. `close`: a person ends it. `expire`: nothing needs it any more.
 * `quarantine`: its files cannot be used. `reopen`: a person takes it into use again. `remove`: its row goes.
 */
export type StatusChange = 'take' | 'close' | 'expire' | 'quarantine' | 'reopen' | 'remove';

/** `gone`: there is no row any more. */
export type NextStatus = SessionStatus | 'gone';

type Row = Readonly<Record<StatusChange, NextStatus | null>>;

/** By the status that a session has; null: that cannot happen to it. A new status does not compile until it has a row. */
const transitions: Readonly<Record<SessionStatus, Row>> = {
  warm: {
    take: 'active',
    close: 'closed',
    expire: 'closed',
    quarantine: null,
    reopen: null,
    remove: 'gone',
  },
  active: {
    take: null,
    close: 'closed',
    expire: 'closed',
    quarantine: 'set-aside',
    reopen: null,
    remove: null,
  },
  closed: {
    take: null,
    close: null,
    expire: null,
    quarantine: null,
    reopen: 'active',
    remove: 'gone',
  },
  'set-aside': {
    take: null,
    close: null,
    expire: null,
    quarantine: null,
    reopen: null,
    remove: 'gone',
  },
};

/** Every status, in the order of a session's life. */
export const sessionStatuses = Object.keys(transitions) as readonly SessionStatus[];

/** The event that tells of each change. */
export const eventOfChange: Readonly<Record<StatusChange, EventName>> = {
  take: 'session.taken',
  close: 'session.closed',
  expire: 'session.completed',
  quarantine: 'session.quarantined',
  reopen: 'session.reopened',
  remove: 'session.removed',
};

/** Undefined where that cannot happen to a session of this status. */
export function decideTransition(
  from: SessionStatus,
  change: StatusChange,
): NextStatus | undefined {
  return transitions[from][change] ?? undefined;
}
