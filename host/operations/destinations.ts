import { z } from 'zod';
import { isoAt } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import type { Destination } from '../../shared/protocol/session-message.js';
import { onDatabase } from './operation.js';
import { getAgentGroup } from './references.js';

/** `agentGroup`: the folder of the agent group that may send there. */
export type OwnedDestination = Destination & { readonly agentGroup: string };

export const listDestinations = onDatabase({
  name: 'destinations.list',
  summary: 'Lists the names that agents may send to, of one agent group or of all.',
  input: z.object({ agentGroup: z.string().optional() }),
  effect: 'reads',
  run: ({ store }, { agentGroup: reference }): readonly OwnedDestination[] => {
    const groups =
      reference === undefined ? store.agentGroups.list() : [getAgentGroup(store, reference)];
    return groups.flatMap((group) =>
      store.destinations
        .list(group.id)
        .map((destination) => ({ agentGroup: group.folder, ...destination })),
    );
  },
});

export const addDestination = onDatabase({
  name: 'destinations.add',
  summary: 'Lets an agent group send to a chat or to another agent.',
  input: z.object({
    agentGroup: z.string(),
    name: z.string().regex(/^[A-Za-z0-9_-]{1,63}$/, {
      error: 'has 1 to 63 letters, digits, dashes or underscores',
    }),
    displayName: z.string().nullable().default(null),
    to: z.discriminatedUnion('type', [
      z.object({ type: z.literal('channel'), channelType: z.string(), platformId: z.string() }),
      /** An agent group, by its folder, name or id. */
      z.object({ type: z.literal('agent'), agentGroup: z.string() }),
    ]),
  }),
  effect: 'writes',
  run: ({ store, clock }, { agentGroup: reference, name, displayName, to }): Destination => {
    const group = getAgentGroup(store, reference);
    if (store.destinations.list(group.id).some((one) => one.name === name)) {
      throw new BerthError('already_exists', `${group.folder} has a destination ${name} already.`, {
        next: `Remove it first, with \`berth destinations remove ${group.folder} ${name}\`.`,
      });
    }
    const nowhere = { channelType: null, platformId: null, agentGroupId: null };
    const target =
      to.type === 'channel'
        ? { ...nowhere, ...to }
        : { ...nowhere, type: to.type, agentGroupId: getAgentGroup(store, to.agentGroup).id };
    const destination: Destination = { name, displayName, ...target };
    store.destinations.insert(group.id, destination, isoAt(clock.now()));
    return destination;
  },
});

export const removeDestination = onDatabase({
  name: 'destinations.remove',
  summary: 'Takes a name away from an agent group.',
  input: z.object({ agentGroup: z.string(), name: z.string() }),
  effect: 'writes',
  run: ({ store }, { agentGroup: reference, name }) => {
    const group = getAgentGroup(store, reference);
    if (store.destinations.delete(group.id, name)) return { deleted: name };
    throw new BerthError('not_found', `${group.folder} has no destination ${name}.`, {
      next: `See \`berth destinations list ${group.folder}\`.`,
    });
  },
});
