import { ActionHandler, type ActionHandlerDeps } from './actions/action-handler.js';
import { InboxFiles } from '../sessions/inbox-files.js';
import { agentChannelType } from '../sessions/agent-conversation.js';
import type { SessionRecovery } from '../sessions/repair/session-recovery.js';
import type { SessionFolders } from '../sessions/session-folder.js';
import { AgentChannel } from './agents/agent-channel.js';
import { AgentMail, type AgentMailDeps } from './agents/agent-mail.js';
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
  Omit<ActionHandlerDeps, 'agents' | 'outboxFiles'> &
  Omit<AgentMailDeps, 'inboxFiles' | 'recovery'> &
  Omit<DeliveryBatchDeps, 'outboxFiles' | 'reports'> &
  FailureReportsDeps &
  Omit<DeadLetterHandlerDeps, 'loop' | 'reports'> &
  NoticeSenderDeps &
  Omit<OutboundWatcherDeps, 'nudges'> &
  OutboxFilesDeps & {
    readonly folders: SessionFolders;
    readonly recovery: Pick<SessionRecovery, 'abandon'>;
  };

export interface Delivery {
  readonly loop: DeliveryLoop;
  readonly notices: NoticeSender;
  readonly deadLetters: DeadLetterHandler;
  readonly watcher: OutboundWatcher;
}

/** The room's parts, joined. */
export function buildDelivery(given: DeliveryDeps): Delivery {
  const agents = new AgentMail({ ...given, inboxFiles: new InboxFiles(given.folders) });
  const agentChannel = new AgentChannel({ ...given, mail: agents });
  const deps: DeliveryDeps = {
    ...given,
    findChannel: (type) => (type === agentChannelType ? agentChannel : given.findChannel(type)),
  };
  const outboxFiles = new OutboxFiles(deps);
  const reports = new FailureReports(deps);
  const batch = new DeliveryBatch({ ...deps, outboxFiles, reports });
  const actions = new ActionHandler({ ...deps, agents, outboxFiles });
  const rows = new RowDelivery({ ...deps, batch, actions });
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
