import { join } from 'node:path';
import type { ChannelSet } from '../channels/set/channel-set.js';
import { buildDelivery, type Delivery } from '../delivery/build-delivery.js';
import type { Schedule } from '../schedule/build-schedule.js';
import type { Nudges } from '../sessions/nudges.js';
import { agentUidFor } from '../sessions/session-folder.js';
import { failureNoticePrefix } from '../sessions/settlement/settlement.js';
import type { Core } from './core.js';

const sendTimeoutMs = 30_000;
/** How long a write to the session of another agent may hold up the one that says something, in milliseconds. */
const writeWaitMs = 2_000;
const noticeRetry = { tries: 5, baseMs: 5_000 };
const watchSettlingMs = 1_000;
const repeatPassMs = 5_000;
const settlementWaitMs = 2;

export function joinDelivery(
  core: Core,
  {
    channels,
    schedule,
    nudges,
  }: { readonly channels: ChannelSet; readonly schedule: Schedule; readonly nudges: Nudges },
): Delivery {
  const { deps, folders, settlement } = core;
  return buildDelivery({
    ...deps,
    ...core,
    tasks: schedule.taskHandler,
    timeZone: deps.config.timeZone,
    retry: noticeRetry,
    repeatPassMs,
    settlementWaitMs,
    settlingMs: watchSettlingMs,
    sendTimeoutMs,
    writeWaitMs,
    agentUid: agentUidFor(core.runtime),
    pollIntervalMs: deps.config.pollIntervalMs,
    outDir: (sessionId) => folders.outDir(sessionId),
    viewDir: (sessionId) => folders.viewDir(sessionId),
    sentDir: (sessionId) => join(folders.folderOf(sessionId), 'sent'),
    findChannel: (type) => channels.find(type),
    unknownSendsOf: (type) =>
      deps.config.unknownSends.byChannel.get(type) ?? deps.config.unknownSends.otherwise,
    nudges,
    onSaid: ({ id, inReplyTo, address }) => {
      const isAnswer = inReplyTo !== null && id.startsWith(failureNoticePrefix);
      if (!isAnswer) return;
      const failed = { address, messageId: inReplyTo, status: 'failed' } as const;
      void settlement.report([failed]);
    },
  });
}
