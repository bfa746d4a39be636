import { DeliveryBatch, type DeliveryBatchDeps } from './delivery-batch.js';
import { DeliveryLoop, type DeliveryLoopDeps } from './delivery-loop.js';
import { NoticeSender, type NoticeSenderDeps } from './notice-sender.js';
import { OutboundWatcher, type OutboundWatcherDeps } from './outbound-watcher.js';
import { OutboxFiles, type OutboxFilesDeps } from './outbox-files.js';

export type DeliveryDeps = Omit<DeliveryLoopDeps, 'batch'> &
  Omit<DeliveryBatchDeps, 'outboxFiles'> &
  NoticeSenderDeps &
  Omit<OutboundWatcherDeps, 'onChange'> &
  OutboxFilesDeps;

export interface Delivery {
  readonly loop: DeliveryLoop;
  readonly notices: NoticeSender;
  readonly watcher: OutboundWatcher;
}

/** The room's parts, joined. */
export function buildDelivery(deps: DeliveryDeps): Delivery {
  const batch = new DeliveryBatch({ ...deps, outboxFiles: new OutboxFiles(deps) });
  const loop = new DeliveryLoop({ ...deps, batch });
  const watcher = new OutboundWatcher({
    ...deps,
    onChange: (sessionId) => {
      loop.nudge(sessionId);
    },
  });
  return { loop, notices: new NoticeSender(deps), watcher };
}
