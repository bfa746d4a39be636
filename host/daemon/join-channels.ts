import { dirname } from 'node:path';
import { builtinChannels } from '../channels/set/builtin-channels.js';
import { ChannelSet } from '../channels/set/channel-set.js';
import type { Core } from './core.js';

/** The channels that rows of central.db ask for; the daemon's own row tells how each is. */
export function joinChannels({ deps, status }: Pick<Core, 'deps' | 'status'>): ChannelSet {
  const { config, store, newId, log } = deps;
  const channels: ChannelSet = new ChannelSet({
    types: builtinChannels,
    listDesired: () => store.channels.list(),
    settings: { dataDir: dirname(config.paths.socket) },
    newId,
    log,
    onChange: () => {
      const all = channels.status();
      status.say({
        channels: Object.fromEntries(
          all.map(({ id, state, lastError }) => [
            id,
            state === 'failed' ? (lastError ?? state) : state,
          ]),
        ),
        channelErrors: Object.fromEntries(
          all.flatMap(({ id, lastError }) => (lastError === undefined ? [] : [[id, lastError]])),
        ),
      });
    },
  });
  return channels;
}
