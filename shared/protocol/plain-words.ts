import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** Tells people what is wrong with a value: `memoryMb must be at least 64; there is no bogus`. */
export function describeIssues(
  { issues }: { readonly issues: readonly Issue[] },
  whole: string,
): string {
  return issues
    .map((issue) => `${issue.path.join('.') || whole} ${describeIssue(issue)}`)
    .join('; ');
}

/** Tells what one value has to be: the end of a sentence that begins with its name. */
export function describeIssue(issue: Issue): string {
  if (issue.code === 'invalid_type')
    return `must be ${typeWords[issue.expected] ?? issue.expected}`;
  if (issue.code === 'too_small') return describeLeast(issue);
  if (issue.code === 'too_big') return describeMost(issue);
  if (issue.code === 'invalid_value') return `must be ${listed(issue.values.map(String))}`;
  if (issue.code === 'unrecognized_keys') {
    return `cannot have ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`;
  }
  return issue.code === 'invalid_union' ? 'is of no known kind' : issue.message;
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
};

function describeLeast({ origin, minimum, inclusive }: z.core.$ZodIssueTooSmall): string {
  if (origin !== 'string')
    return `must be ${inclusive === false ? 'more than' : 'at least'} ${minimum}`;
  return minimum === 1 ? 'must not be empty' : `must have at least ${minimum} characters`;
}

function describeMost({ origin, maximum }: z.core.$ZodIssueTooBig): string {
  return `must ${origin === 'string' ? `have at most ${maximum} characters` : `be at most ${maximum}`}`;
}

/** `auto, docker or process` */
function listed(words: readonly string[]): string {
  return words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}
