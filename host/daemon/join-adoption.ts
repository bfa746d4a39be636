import type { ChannelSet } from '../channels/set/channel-set.js';
import type { Schedule } from '../schedule/build-schedule.js';
import { Adoption } from '../sessions/adoption/adoption.js';
import { defaultAgentFolder } from '../sessions/default-agent-group.js';
import type { Nudges } from '../sessions/nudges.js';
import type { Core } from './core.js';

/** How long the start waits for folders that central.db does not know, in milliseconds: few starts find any. */
const waitMs = 2_000;

export function joinAdoption(
  core: Core,
  channels: ChannelSet,
  { taskCheck }: Schedule,
  nudges: Nudges,
): Adoption {
  return new Adoption({
    ...core.deps,
    ...core,
    sessionsDir: core.deps.config.paths.sessionsDir,
    waitMs,
    defaultAgentFolder,
    wiresItself: (type) => channels.find(type)?.wiresItself ?? false,
    checkTasks: (sessionId) => taskCheck.repair(sessionId),
    nudges,
  });
}
