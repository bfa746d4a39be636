import { RE2JS } from 're2js';
import { z } from 'zod';
import { BerthError } from '../../shared/base/errors.js';
import { describeIssues } from '../../shared/protocol/plain-words.js';

/** When a wiring's agent takes a message, and what becomes of those it does not take. */
export const triggerRulesSchema = z
  .strictObject({
    mode: z.enum(['always', 'mention', 'mention-sticky', 'pattern']),
    /** RE2 syntax: runs in linear time whatever the text. */
    pattern: z.string().max(1_000).optional(),
    ignored: z.enum(['drop', 'accumulate']).default('drop'),
  })
  .superRefine((rules, context) => {
    if (rules.mode === 'pattern' && rules.pattern === undefined) {
      context.addIssue({ code: 'custom', message: 'have mode "pattern" and no pattern' });
    }
    if (rules.mode !== 'pattern' && rules.pattern !== undefined) {
      context.addIssue({ code: 'custom', message: 'have a pattern, which needs mode "pattern"' });
    }
    const problem = rules.pattern === undefined ? undefined : findPatternProblem(rules.pattern);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

export type TriggerRules = z.infer<typeof triggerRulesSchema>;

export const defaultTriggerRules: TriggerRules = { mode: 'always', ignored: 'drop' };

/** Throws invalid_input with what is wrong and how the rules are written. */
export function parseTriggerRules(json: string | null): TriggerRules {
  if (json === null) return defaultTriggerRules;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw refused('they are not JSON', error);
  }
  const result = triggerRulesSchema.safeParse(value);
  if (result.success) return result.data;
  throw refused(describeIssues(result.error, 'they'), result.error);
}

function refused(why: string, cause: unknown): BerthError {
  return new BerthError('invalid_input', `The trigger rules cannot be used: ${why}.`, {
    next: 'Write them like {"mode":"mention"} or {"mode":"pattern","pattern":"^hey","ignored":"accumulate"}.',
    cause,
  });
}

function findPatternProblem(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    return `have a pattern that is not RE2 syntax (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** Whether the pattern occurs in the text. */
export function matchesPattern(pattern: string, text: string): boolean {
  return RE2JS.compile(pattern).matcher(text).find();
}
