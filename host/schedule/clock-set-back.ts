import { isoAt } from '../../shared/base/clock.js';
import type { Store } from '../store/store.js';

/** No retry is planned further ahead than this, in milliseconds. */
const longestWaitMs = 70 * 60_000;
/** Nor is a session visited less often, in milliseconds. */
const longestPruneWaitMs = 8 * 24 * 60 * 60 * 1_000;

/**
 * After the clock was set back: what was to wait for a while waits no longer for that, and what is planned for a time of
 * day keeps its time. Which of the two a session waits for stands in its files: it is looked at.
 */
export function mendAfterSetBack(store: Store, nowMs: number, backMs: number): void {
  const now = isoAt(nowMs);
  store.transaction(() => {
    store.dueItems.lookAgain(now, isoAt(nowMs + backMs + longestWaitMs));
    store.dueItems.advancePrunes(now, isoAt(nowMs + longestPruneWaitMs));
    store.sessions.forgetFuture(now);
    store.deliveryRetries.advanceAll(now, backMs);
    store.notices.advanceAll(now, backMs);
  });
}
