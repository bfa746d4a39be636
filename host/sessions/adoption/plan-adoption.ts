/** Decides on a session's folder that central.db does not know. Pure: everything is passed in. */
import type { Address } from '../../../shared/protocol/session-message.js';
import type { AgentGroup } from '../../store/agent-groups.js';
import type { SessionMode, Wiring } from '../../store/wirings.js';
import type { FolderFacts } from './folder-facts.js';

export type AdoptionPlan =
  | {
      readonly kind: 'adopt';
      readonly agentGroup: AgentGroup;
      readonly mode: SessionMode;
      readonly address: Address;
      readonly lastAt: string | null;
    }
  /** Nobody has ever written to it. */
  | { readonly kind: 'empty'; readonly agentGroup: AgentGroup | undefined }
  /** Both as sentences. */
  | { readonly kind: 'refuse'; readonly reason: string; readonly next: string };

export interface KnownWorld {
  readonly agentGroups: readonly AgentGroup[];
  /** Of the session's chat; none where the chat is not known. */
  readonly wirings: readonly Pick<Wiring, 'agentGroupId' | 'sessionMode'>[];
  /** The agent group that answers this chat where nobody has wired it. */
  readonly defaultAgentGroup: AgentGroup | undefined;
}

export function planAdoption(facts: FolderFacts, world: KnownWorld): AdoptionPlan {
  const { inbound, problem } = facts;
  if (problem !== undefined) {
    return refuse(
      problem,
      'Put the file back from a backup and restart the daemon, or move the folder away.',
    );
  }
  const agentGroup = findAgentGroup(facts, world);
  if (inbound === undefined || inbound.messageCount === 0) return { kind: 'empty', agentGroup };
  const { routing, lastAt } = inbound;
  if (routing === null) {
    return refuse(
      'Nothing in it says which chat it belongs to.',
      'Read its inbound.db, or move the folder away.',
    );
  }
  if (agentGroup === undefined) return refuseGroup(facts);
  const wiring = world.wirings.find(({ agentGroupId }) => agentGroupId === agentGroup.id);
  const isOfGroup =
    wiring === undefined ? inbound.chatCount > 1 : wiring.sessionMode === 'agent-shared';
  const ofChat = routing.threadId === null ? 'shared' : 'per-thread';
  return {
    kind: 'adopt',
    agentGroup,
    mode: isOfGroup ? 'agent-shared' : ofChat,
    address: routing,
    lastAt,
  };
}

/** By its id, else by its name where only one has it; where its files name none, by the wiring of its chat. */
function findAgentGroup(
  { agentGroup: named }: FolderFacts,
  { agentGroups, wirings, defaultAgentGroup }: KnownWorld,
): AgentGroup | undefined {
  if (named !== undefined) {
    const sameName = agentGroups.filter(({ name }) => name === named.name);
    return agentGroups.find(({ id }) => id === named.id) ?? only(sameName);
  }
  if (wirings.length === 0) return defaultAgentGroup ?? only(agentGroups);
  const wired = new Set(wirings.map(({ agentGroupId }) => agentGroupId));
  return only(agentGroups.filter(({ id }) => wired.has(id)));
}

function only<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}

function refuseGroup({ agentGroup }: FolderFacts): AdoptionPlan {
  if (agentGroup === undefined) {
    return refuse(
      'Nothing in it says which agent it belongs to.',
      'Wire its chat to one agent with `berth wirings create`, and restart the daemon.',
    );
  }
  const { id, name } = agentGroup;
  return refuse(
    `Its agent group ${JSON.stringify(name)} (${id}) is not known.`,
    `Make it again with \`berth agent-groups create ${JSON.stringify(name)}\`, and restart the daemon.`,
  );
}

function refuse(reason: string, next: string): AdoptionPlan {
  return { kind: 'refuse', reason, next };
}
