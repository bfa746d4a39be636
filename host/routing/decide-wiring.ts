/** Decides what a wiring makes of a message, and why. Reads central.db, and writes nothing. */
import type { MessagingGroup } from '../store/messaging-groups.js';
import type { Store } from '../store/store.js';
import type { Wiring } from '../store/wirings.js';
import { decideEngagement, type Engagement } from './engagement.js';
import { findGateReason } from './gates.js';
import { readWiringRules, type WiringRules } from './wiring-rules.js';

/** A message, as far as wirings ask. */
export interface WiringMessage {
  readonly text: string;
  readonly senderId: string;
  readonly threadId: string | null;
  /** The agent was addressed by name, as the platform says. */
  readonly isMention: boolean;
  /** Names that were written with an `@`, where the platform knows nobody by that name. */
  readonly mentionedNames: readonly string[];
  /** More than one person can read the chat. */
  readonly isGroup: boolean;
}

export type WiringDecision =
  | { readonly kind: 'unusable'; readonly reason: string }
  | (Engagement & { readonly kind: 'refused' })
  | (Exclude<Engagement, { kind: 'refused' }> & {
      readonly rules: WiringRules;
      readonly isAddressed: boolean;
    });

export function decideWiring(
  store: Store,
  wiring: Wiring,
  chat: MessagingGroup,
  message: WiringMessage,
): WiringDecision {
  const { messagingGroupId, agentGroupId } = wiring;
  const agentGroup = store.agentGroups.find(agentGroupId);
  if (agentGroup === undefined) {
    return { kind: 'refused', reason: `its agent group ${agentGroupId} does not exist` };
  }
  const rules = readWiringRules(wiring);
  if ('unusable' in rules) return { kind: 'unusable', reason: rules.unusable };
  const gate = findGate(store, rules, chat, message.senderId);
  if (gate !== undefined) return { kind: 'refused', reason: gate };
  const { threadId } = message;
  const isNamed = message.isMention || isOneOf(message.mentionedNames, agentGroup);
  const isAddressed = isNamed || !message.isGroup;
  const engagement = decideEngagement(rules.trigger, rules.scope, {
    text: message.text,
    isAddressed,
    isThreadEngaged:
      rules.trigger.mode === 'mention-sticky' &&
      store.engagedThreads.has({ messagingGroupId, agentGroupId, threadId }),
  });
  return engagement.kind === 'refused' ? engagement : { ...engagement, rules, isAddressed };
}

/** Whether somebody may speak to the agents of a wiring at all, whatever engages them. */
export function maySpeak(
  store: Store,
  wiring: Wiring,
  chat: MessagingGroup,
  senderId: string,
): boolean {
  const rules = readWiringRules(wiring);
  return !('unusable' in rules) && findGate(store, rules, chat, senderId) === undefined;
}

function findGate(
  store: Store,
  { scope }: WiringRules,
  chat: MessagingGroup,
  senderId: string,
): string | undefined {
  return findGateReason(scope, {
    senderId,
    adminUserId: chat.adminUserId,
    allowedSenders: store.messagingGroups.listAllowedSenders(chat.id),
  });
}

/** By folder or by name; a name of several words is written without its spaces, with - or with _. */
function isOneOf(
  names: readonly string[],
  { folder, name }: { readonly folder: string; readonly name: string },
): boolean {
  const own = [folder, name].map(comparable);
  return names.some((one) => own.includes(comparable(one)));
}

function comparable(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_-]+/g, '');
}
