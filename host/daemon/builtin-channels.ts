import type { NewId } from '../../shared/base/ids.js';
import type { Logger } from '../../shared/base/logger.js';
import type { Channel } from '../channels/channel.js';
import { TerminalChannel } from '../channels/terminal/terminal-channel.js';

/** The things that the channels that ship may need. */
export interface BuiltinChannelDeps {
  readonly terminalSocketPath: string;
  readonly newId: NewId;
  readonly log: Logger;
}

export type ChannelFactory = (deps: BuiltinChannelDeps) => Channel;

/** Every channel that ships; a new one gets a line here. */
export const builtinChannels: readonly ChannelFactory[] = [
  ({ terminalSocketPath, newId, log }: BuiltinChannelDeps): Channel =>
    new TerminalChannel({ socketPath: terminalSocketPath, newId, log }),
];
