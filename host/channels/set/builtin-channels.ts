import type { ChannelType } from '../channel-type.js';
import { terminalType } from '../terminal/terminal-type.js';

/** Every type of channel that ships; a new one gets a line here. */
export const builtinChannels: readonly ChannelType[] = [terminalType];
