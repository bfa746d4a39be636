import { isoAt, type Clock } from '../../../shared/base/clock.js';
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { DueItem, DueKind } from '../../store/due-items.js';
import type { NewEvent } from '../../store/session-events.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import { isPending } from '../mailbox/open-work.js';

export interface DueWork {
  /** Rows that are open now. */
  readonly open: readonly OpenInbound[];
  /** Something was settled or tried. */
  readonly hasProgress: boolean;
  /** The time when replies are to be read again, ISO-8601; null: not at all; undefined: as it was. */
  readonly deliverAt: string | null | undefined;
  /** The events that the pass has found, to be told with it; of what passes as it should there are none. */
  readonly events?: readonly NewEvent[];
}

/** Writes down when a session is due next, and that it was used; in one transaction, and only what differs. */
export function planDueWork(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  session: Session,
  work: DueWork,
): void {
  const now = isoAt(clock.now());
  const sessionId = session.id;
  const changes: (() => void)[] = [];
  if (work.hasProgress)
    changes.push(() => {
      store.sessions.touch(sessionId, now);
    });
  const plan = (kind: DueKind, wanted: DueItem | undefined): void => {
    const known = store.dueItems.find(sessionId, kind);
    if (wanted === undefined) {
      if (known !== undefined)
        changes.push(() => {
          store.dueItems.clear(sessionId, kind);
        });
    } else if (known?.dueAt !== wanted.dueAt || known.attempts !== wanted.attempts) {
      changes.push(() => {
        store.dueItems.set(wanted);
      });
    }
  };
  // A prewarmed session has no messages: its wake only puts off a start that has failed.
  if (session.status !== 'warm') plan('wake', findWake(store, sessionId, work, now));
  if (work.deliverAt !== undefined) {
    const dueAt = work.deliverAt;
    plan(
      'deliver',
      dueAt === null ? undefined : { sessionId, kind: 'deliver', dueAt, attempts: 0 },
    );
  }
  for (const event of work.events ?? [])
    changes.push(() => {
      store.events.add(event, now);
    });
  if (changes.length === 0) return;
  store.transaction(() => {
    for (const change of changes) change();
  });
}

/** The session is due when its earliest pending message is; with none left it is not due at all. */
function findWake(
  store: Store,
  sessionId: string,
  { open, hasProgress }: DueWork,
  now: string,
): DueItem | undefined {
  const earliest = open
    .filter(isPending)
    .map(({ processAfter }) => processAfter ?? now)
    .sort()[0];
  if (earliest === undefined) return undefined;
  const known = store.dueItems.find(sessionId, 'wake');
  // The message that could not be started for is gone. A time to come that counts failures would hold off whatever is
  // said before it.
  if (earliest > now) return { sessionId, kind: 'wake', dueAt: earliest, attempts: 0 };
  // Also after a try that failed: then how often that may be tried is the limit, and not how often it may be started.
  const attempts = hasProgress ? 0 : (known?.attempts ?? 0);
  // While a start is being put off, its own time holds; and who waits already is not due later than before.
  if (known !== undefined && attempts > 0 && known.dueAt > earliest) return known;
  if (known !== undefined && earliest === now && known.dueAt <= now) {
    return { ...known, attempts };
  }
  return { sessionId, kind: 'wake', dueAt: earliest, attempts };
}
