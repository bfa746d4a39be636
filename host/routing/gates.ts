import type { ResponseScope } from '../store/wirings.js';

export interface GateFacts {
  readonly senderId: string;
  readonly adminUserId: string | null;
  readonly allowedSenders: readonly string[];
}

/** Decides who may talk to a wiring's agent. Returns a reason, or undefined where the sender may. */
export function findGateReason(scope: ResponseScope, facts: GateFacts): string | undefined {
  if (scope !== 'allowlisted') return undefined;
  if (facts.senderId === facts.adminUserId) return undefined;
  if (facts.allowedSenders.includes(facts.senderId)) return undefined;
  return 'the sender is not on the allowlist';
}
