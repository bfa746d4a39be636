import { z } from 'zod';
import { isoAt } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import { builtinChannels } from '../channels/set/builtin-channels.js';
import { parseChannelConfig, type ChannelType } from '../channels/channel-type.js';
import { agentChannelType } from '../sessions/agent-conversation.js';
import type { ChannelRow } from '../store/channels.js';
import type { Store } from '../store/store.js';
import { onDatabase } from './operation.js';

const oneChannel = z.object({ channel: z.string() });
const configValues = z.record(z.string(), z.unknown());

/** A channel as people see it. */
export interface ChannelView {
  readonly id: string;
  readonly type: string;
  readonly enabled: boolean;
  /** As it is stored: a row that was edited by hand may hold anything. */
  readonly config: unknown;
}

export const listChannels = onDatabase({
  name: 'channels.list',
  summary: 'Lists the channels; the daemon brings about what their rows say.',
  input: z.object({}),
  effect: 'reads',
  run: ({ store }): readonly ChannelView[] => store.channels.list().map(view),
});

export const addChannel = onDatabase({
  name: 'channels.add',
  summary: 'Adds a channel, which the daemon starts.',
  input: z.object({
    type: z.string(),
    /** Left out: the type. */
    id: z.string().optional(),
    config: configValues.default({}),
  }),
  effect: 'writes',
  run: ({ store, clock }, { type: name, id = name, config }): ChannelView => {
    const type = getType(name);
    assertId(id, type);
    parseChannelConfig(type, id, config);
    if (store.channels.find(id) !== undefined) {
      throw new BerthError('already_exists', `There is a channel ${id} already.`, {
        next: id === name ? 'Give this one an id of its own.' : 'Choose another id.',
      });
    }
    const row = { id, type: name, config: JSON.stringify(config), enabled: true };
    store.channels.insert({ ...row, createdAt: isoAt(clock.now()) });
    return view(row);
  },
});

export const setChannel = onDatabase({
  name: 'channels.set',
  summary: 'Changes the config of a channel, which the daemon starts anew.',
  input: oneChannel.extend({
    set: configValues.default({}),
    /** Keys that go back to their defaults. */
    unset: z.array(z.string()).default([]),
  }),
  effect: 'writes',
  run: ({ store }, { channel, set, unset }): ChannelView => {
    const row = getChannel(store, channel);
    const known = parseStored(row.config);
    const kept = Object.entries(known).filter(([key]) => !unset.includes(key));
    const config = { ...Object.fromEntries(kept), ...set };
    parseChannelConfig(getType(row.type), row.id, config);
    return write(store, { ...row, config: JSON.stringify(config) });
  },
});

export const enableChannel = onDatabase({
  name: 'channels.enable',
  summary: 'Has a channel run; replies that were kept for its chats are sent.',
  input: oneChannel,
  effect: 'writes',
  run: ({ store }, { channel }): ChannelView =>
    write(store, { ...getChannel(store, channel), enabled: true }),
});

export const disableChannel = onDatabase({
  name: 'channels.disable',
  summary: 'Ends a channel; replies to its chats are kept until it is enabled.',
  input: oneChannel,
  effect: 'writes',
  run: ({ store }, { channel }): ChannelView =>
    write(store, { ...getChannel(store, channel), enabled: false }),
});

export const removeChannel = onDatabase({
  name: 'channels.remove',
  summary: 'Takes a channel away that no chat and no destination is on.',
  input: oneChannel,
  effect: 'writes',
  run: ({ store }, { channel }): { readonly deleted: string } => {
    const { id } = getChannel(store, channel);
    assertUnused(store, id);
    store.channels.delete(id);
    return { deleted: id };
  },
});

/** Throws in_use: replies to what is on it could not be sent any more. */
function assertUnused(store: Store, id: string): void {
  const chats = store.messagingGroups.list().filter(({ channelType }) => channelType === id);
  const destinations = store.agentGroups.list().flatMap((group) =>
    store.destinations
      .list(group.id)
      .filter(({ channelType }) => channelType === id)
      .map(({ name }) => `${group.folder}/${name}`),
  );
  if (chats.length + destinations.length === 0) return;
  const what = [
    ...(chats.length > 0 ? [`${chats.length} ${chats.length === 1 ? 'chat' : 'chats'}`] : []),
    ...(destinations.length > 0 ? [`the destinations ${destinations.join(', ')}`] : []),
  ];
  throw new BerthError('in_use', `The channel ${id} has ${what.join(' and ')}.`, {
    next: `Delete them first, or have it rest with \`berth channels disable ${id}\`.`,
  });
}

function getType(name: string): ChannelType {
  const type = builtinChannels.find((one) => one.type === name);
  if (type !== undefined) return type;
  throw new BerthError('not_found', `There is no type of channel ${JSON.stringify(name)}.`, {
    next: `There is: ${builtinChannels.map((one) => one.type).join(', ')}.`,
  });
}

/** The id of one type's default instance would name another type's channel. */
function assertId(id: string, { type }: ChannelType): void {
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(id)) {
    throw new BerthError('invalid_input', `${JSON.stringify(id)} cannot be a channel's id.`, {
      next: 'Use 1 to 63 small letters, digits and dashes, a letter first.',
    });
  }
  if (id === agentChannelType) {
    throw new BerthError('invalid_input', `${id} is how agents are written to.`, {
      next: 'Choose another id.',
    });
  }
  if (id === type || !builtinChannels.some((one) => one.type === id)) return;
  throw new BerthError('invalid_input', `${id} is the id of a channel of that type.`, {
    next: 'Choose another id.',
  });
}

function getChannel(store: Store, id: string): ChannelRow {
  const row = store.channels.find(id);
  if (row !== undefined) return row;
  throw new BerthError('not_found', `There is no channel ${JSON.stringify(id)}.`, {
    next: 'See `berth channels list`.',
  });
}

function write(store: Store, row: ChannelRow): ChannelView {
  store.channels.update(row);
  return view(row);
}

function view({ id, type, enabled, config }: Omit<ChannelRow, 'createdAt'>): ChannelView {
  try {
    return { id, type, enabled, config: JSON.parse(config) as unknown };
  } catch {
    return { id, type, enabled, config };
  }
}

/** Empty where it is no object: what is set then makes it one. */
function parseStored(config: string): Readonly<Record<string, unknown>> {
  try {
    return configValues.safeParse(JSON.parse(config)).data ?? {};
  } catch {
    return {};
  }
}
