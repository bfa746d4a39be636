import { isoAt } from '../../shared/base/clock.js';
import type { Delivery } from '../delivery/build-delivery.js';
import type { DaemonDeps } from './ground.js';

/** Somebody listens on a chat again: what waited for that is said now. */
export function hearAgain(
  { store, clock }: Pick<DaemonDeps, 'store' | 'clock'>,
  { notices, loop }: Delivery,
  { channelType, platformId }: { readonly channelType: string; readonly platformId: string },
): void {
  store.notices.hasten(channelType, platformId, isoAt(clock.now()));
  notices.nudge();
  const waiting = store.awaitedListeners.take(channelType, platformId);
  for (const sessionId of waiting) loop.nudge(sessionId);
}
