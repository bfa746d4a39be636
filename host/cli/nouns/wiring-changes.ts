import { isoAt } from '../../../shared/base/clock.js';
import { BerthError } from '../../../shared/base/errors.js';
import type { Wiring } from '../../store/wirings.js';
import { usageError, type CommandContext } from '../command/command-context.js';
import { ensureMessagingGroup } from './messaging-group-changes.js';
import { getAgentGroup, getWiring } from '../../operations/references.js';
import { writeStore } from '../command/store-access.js';
import { mergeTriggerRules, type TriggerOptions } from './trigger-options.js';

export interface WiringOptions extends TriggerOptions {
  readonly scope?: string;
  readonly sessionMode?: string;
  readonly priority?: number;
}

/** `others`: the folders of agents that are wired to the chat already. */
export function createWiring(
  context: CommandContext,
  chat: string,
  agentGroup: string,
  options: WiringOptions,
): Wiring & { readonly channelType: string; readonly others: readonly string[] } {
  return writeStore(context, (store) => {
    const { id: agentGroupId, folder } = getAgentGroup(store, agentGroup);
    const { id: messagingGroupId, channelType } = ensureMessagingGroup(context, store, chat);
    const wired = store.wirings.listForMessagingGroup(messagingGroupId);
    const twin = wired.find((one) => one.agentGroupId === agentGroupId);
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
    const others = wired.map((one) => store.agentGroups.find(one.agentGroupId)?.folder ?? one.id);
    return { ...wiring, channelType, others };
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
