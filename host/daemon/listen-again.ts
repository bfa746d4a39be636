import { isoAt } from '../../shared/base/clock.js';
import type { Nudges } from '../sessions/nudges.js';
import type { DaemonDeps } from './core.js';

/** Says what waited for somebody to listen on a chat again. */
export function listenAgain(
  { store, clock }: Pick<DaemonDeps, 'store' | 'clock'>,
  nudges: Pick<Nudges, 'notices' | 'delivery'>,
  { channelType, platformId }: { readonly channelType: string; readonly platformId: string },
): void {
  store.notices.reschedule(channelType, platformId, isoAt(clock.now()));
  nudges.notices();
  const waiting = store.awaitedListeners.take(channelType, platformId);
  for (const sessionId of waiting) nudges.delivery(sessionId);
}

/** Says what waited for a channel to run again. */
export function reachAgain(
  { store, clock }: Pick<DaemonDeps, 'store' | 'clock'>,
  nudges: Pick<Nudges, 'notices' | 'delivery'>,
  { id }: { readonly id: string },
): void {
  store.notices.rescheduleChannel(id, isoAt(clock.now()));
  nudges.notices();
  for (const sessionId of store.awaitedListeners.takeChannel(id)) nudges.delivery(sessionId);
}
