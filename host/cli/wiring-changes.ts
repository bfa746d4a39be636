import { isoAt } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import type { Wiring } from '../store/wirings.js';
import { usageError, type CommandContext } from './command-context.js';
import { ensureMessagingGroup } from './messaging-group-changes.js';
import { getAgentGroup, getWiring } from './references.js';
import { writeStore } from './store-access.js';
import { mergeTriggerRules, type TriggerOptions } from './trigger-options.js';

export interface WiringOptions extends TriggerOptions {
  readonly scope?: string;
  readonly sessionMode?: string;
  readonly priority?: number;
}

export function createWiring(
  context: CommandContext,
  chat: string,
  agentGroup: string,
  options: WiringOptions,
): Wiring & { readonly channelType: string } {
  return writeStore(context, (store) => {
    const { id: agentGroupId, folder } = getAgentGroup(store, agentGroup);
    const { id: messagingGroupId, channelType } = ensureMessagingGroup(context, store, chat);
    const twin = store.wirings
      .listForMessagingGroup(messagingGroupId)
      .find((one) => one.agentGroupId === agentGroupId);
    if (twin !== undefined) {
      throw new BerthError('already_exists', `${chat} is wired to ${folder} already: ${twin.id}.`, {
        next: `Change it with \`berth wirings update ${twin.id}\`.`,
      });
    }
    const wiring = withOptions(options, {
      id: context.newId('w'),
      messagingGroupId,
      agentGroupId,
      triggerRules: null,
      responseScope: 'all',
      sessionMode: 'shared',
      priority: 0,
      createdAt: isoAt(context.clock.now()),
    });
    store.wirings.insert(wiring);
    return { ...wiring, channelType };
  });
}

export function updateWiring(
  context: CommandContext,
  reference: string,
  options: WiringOptions,
): Wiring {
  if (Object.keys(options).length === 0) throw usageError('Say what is to change.');
  return writeStore(context, (store) => {
    const wiring = withOptions(options, getWiring(store, reference));
    store.wirings.update(wiring);
    return wiring;
  });
}

function withOptions(options: WiringOptions, wiring: Wiring): Wiring {
  return {
    ...wiring,
    triggerRules: mergeTriggerRules(wiring.triggerRules, options) ?? wiring.triggerRules,
    responseScope: options.scope ?? wiring.responseScope,
    sessionMode: options.sessionMode ?? wiring.sessionMode,
    priority: options.priority ?? wiring.priority,
  };
}
