import { matchesPattern, type TriggerRules } from '../store/trigger-rules.js';
import type { ResponseScope } from '../store/wirings.js';

export interface EngagementFacts {
  readonly text: string;
  /** Addressed by name, or said in a chat with nobody else in it. */
  readonly isAddressed: boolean;
  /** A mention has brought this agent into this thread before. */
  readonly isThreadEngaged: boolean;
}

export type Engagement =
  | { readonly kind: 'engaged' }
  | { readonly kind: 'context'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** Whether a wiring's agent takes a message, keeps it as context, or leaves it. */
export function decideEngagement(
  rules: TriggerRules,
  scope: ResponseScope,
  facts: EngagementFacts,
): Engagement {
  const reason = findReasonAgainst(rules, scope, facts);
  if (reason === undefined) return { kind: 'engaged' };
  return rules.ignored === 'accumulate' ? { kind: 'context', reason } : { kind: 'refused', reason };
}

function findReasonAgainst(
  rules: TriggerRules,
  scope: ResponseScope,
  facts: EngagementFacts,
): string | undefined {
  const matches = rules.pattern !== undefined && matchesPattern(rules.pattern, facts.text);
  // 'triggered': each message has to ask for the answer itself.
  if (scope === 'triggered' && !facts.isAddressed && !matches) return 'not asked for an answer';
  const against: Record<TriggerRules['mode'], string | false> = {
    always: false,
    mention: !facts.isAddressed && 'not mentioned',
    'mention-sticky':
      !facts.isAddressed && !facts.isThreadEngaged && 'not mentioned in this thread',
    pattern: !matches && 'does not match the pattern',
  };
  return against[rules.mode] || undefined;
}
