/** Stands in for host/channels/set/builtin-channels.ts in the daemon of the fault tests: one type more where it is asked for. */
import { z } from 'zod';
import { defineChannelType, type ChannelType } from '../../host/channels/channel-type.js';
import { terminalType } from '../../host/channels/terminal/terminal-type.js';
import { FlakyChannel } from './flaky-channel.js';
import type { PlatformFacts } from './flaky-platform.js';

const platform = process.env['BERTH_TEST_PLATFORM'];

function flakyType({ socketPath, sendsAreIdempotent }: PlatformFacts): ChannelType {
  return defineChannelType({
    type: 'flaky',
    wiresItself: true,
    sendsAreIdempotent,
    hasListeners: false,
    configFor: () => z.strictObject({}),
    build: ({ id }) => Promise.resolve(new FlakyChannel({ id, socketPath })),
  });
}

export const builtinChannels: readonly ChannelType[] =
  platform === undefined
    ? [terminalType]
    : [terminalType, flakyType(JSON.parse(platform) as PlatformFacts)];
