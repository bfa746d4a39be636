import { ActionHandler, type ActionHandlerDeps } from './actions/action-handler.js';
import { DeliveryBatch, type DeliveryBatchDeps } from './delivery-batch.js';
import { DeliveryLoop, type DeliveryLoopDeps } from './delivery-loop.js';
import { DeadLetterHandler, type DeadLetterHandlerDeps } from './dead-letter-handler.js';
import { FailureReports, type FailureReportsDeps } from './failure-reports.js';
import { NoticeSender, type NoticeSenderDeps } from './notice-sender.js';
import { OutboundWatcher, type OutboundWatcherDeps } from './outbound-watcher.js';
import { OutboxFiles, type OutboxFilesDeps } from './files/outbox-files.js';
import { RowDelivery, type RowDeliveryDeps } from './row-delivery.js';

export type DeliveryDeps = Omit<DeliveryLoopDeps, 'rows' | 'batch'> &
  Omit<RowDeliveryDeps, 'batch' | 'actions'> &
  ActionHandlerDeps &
  Omit<DeliveryBatchDeps, 'outboxFiles' | 'reports'> &
  FailureReportsDeps &
  Omit<DeadLetterHandlerDeps, 'loop' | 'reports'> &
  NoticeSenderDeps &
  Omit<OutboundWatcherDeps, 'nudges'> &
  OutboxFilesDeps;

export interface Delivery {
  readonly loop: DeliveryLoop;
  readonly notices: NoticeSender;
  readonly deadLetters: DeadLetterHandler;
  readonly watcher: OutboundWatcher;
}

/** The room's parts, joined. */
export function buildDelivery(deps: DeliveryDeps): Delivery {
  const reports = new FailureReports(deps);
  const batch = new DeliveryBatch({ ...deps, outboxFiles: new OutboxFiles(deps), reports });
  const rows = new RowDelivery({ ...deps, batch, actions: new ActionHandler(deps) });
  const loop = new DeliveryLoop({ ...deps, rows, batch });
  const watcher = new OutboundWatcher({
    ...deps,
    nudges: {
      delivery: (sessionId) => {
        loop.nudge(sessionId);
      },
    },
  });
  const deadLetters = new DeadLetterHandler({ ...deps, loop, reports });
  return { loop, notices: new NoticeSender(deps), deadLetters, watcher };
}
