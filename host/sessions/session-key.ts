import type { SessionKey } from '../store/sessions.js';
import type { SessionMode } from '../store/wirings.js';

export interface ConversationFacts {
  readonly agentGroupId: string;
  readonly messagingGroupId: string;
  readonly threadId: string | null;
}

/** Which conversation a message belongs to. */
export function sessionKeyFor(mode: SessionMode, facts: ConversationFacts): SessionKey {
  switch (mode) {
    case 'shared':
      return { ...facts, threadId: null };
    case 'per-thread':
      return facts;
    case 'agent-shared':
      return { agentGroupId: facts.agentGroupId, messagingGroupId: null, threadId: null };
  }
}
