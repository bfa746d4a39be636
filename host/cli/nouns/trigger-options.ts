import {
  defaultTriggerRules,
  parseTriggerRules,
  triggerRulesSchema,
  type TriggerRules,
} from '../../store/trigger-rules.js';
import { parseGiven, WrongValue } from '../command/command-context.js';

export const modeChoices = triggerRulesSchema.shape.mode.options;
export const ignoredChoices = ['drop', 'accumulate'] as const;

/** Trigger rules as flags: all of them as JSON, or one by one. */
export interface TriggerOptions {
  readonly trigger?: string;
  readonly mode?: string;
  readonly pattern?: string;
  readonly ignored?: string;
}

/**
 * The trigger_rules to write; undefined where no flag speaks of them. A rule that is not named stays as it was, except
 * that a pattern belongs to its mode. Throws invalid_input with what is wrong.
 */
export function mergeTriggerRules(
  before: string | null,
  options: TriggerOptions,
): string | undefined {
  const { trigger, mode, pattern, ignored } = options;
  if (trigger !== undefined) return JSON.stringify(parseGiven(() => parseTriggerRules(trigger)));
  if (mode === undefined && pattern === undefined && ignored === undefined) return undefined;
  const known = mode === undefined ? parseTriggerRules(before) : readRules(before);
  const newMode = mode ?? (pattern === undefined ? known.mode : 'pattern');
  const newPattern = pattern ?? (newMode === 'pattern' ? known.pattern : undefined);
  return rulesFrom({ mode: newMode, pattern: newPattern, ignored: ignored ?? known.ignored });
}

function rulesFrom(rules: {
  readonly mode: string;
  readonly pattern: string | undefined;
  readonly ignored: string;
}): string {
  if (rules.mode === 'pattern' && rules.pattern === undefined) {
    throw new WrongValue('The mode pattern needs a pattern.', { next: 'Add it with --pattern.' });
  }
  return JSON.stringify(parseGiven(() => parseTriggerRules(JSON.stringify(rules))));
}

/** Rules that were broken by hand can be replaced. */
function readRules(json: string | null): TriggerRules {
  try {
    return parseTriggerRules(json);
  } catch {
    return defaultTriggerRules;
  }
}
