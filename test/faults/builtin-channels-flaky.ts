/** Stands in for host/daemon/builtin-channels.ts in the daemon of the fault tests: one channel more where it is asked for. */
import type { ChannelFactory } from '../../host/daemon/builtin-channels.js';
import { TerminalChannel } from '../../host/channels/terminal/terminal-channel.js';
import { FlakyChannel, type FlakyChannelDeps } from './flaky-channel.js';

const platform = process.env['BERTH_TEST_PLATFORM'];

const terminal: ChannelFactory = ({ terminalSocketPath, newId, log }) =>
  new TerminalChannel({ socketPath: terminalSocketPath, newId, log });

export const builtinChannels: readonly ChannelFactory[] =
  platform === undefined
    ? [terminal]
    : [terminal, () => new FlakyChannel(JSON.parse(platform) as FlakyChannelDeps)];
