/** Every provider that there is: what it does, and what can be set. A new one without a runner does not compile. */
import * as z from 'zod/mini';
import { BerthError } from '../base/errors.js';
import { describeIssues } from './plain-words.js';

interface ProviderFacts {
  /** It does more than answer: without a container around it, it could do so on the host. */
  readonly runsTools: boolean;
  /** The schema for `providerOptions` of an agent group's container config. */
  readonly options: z.ZodMiniObject;
}

export const providers = {
  echo: {
    runsTools: false,
    options: z.strictObject({
      /** Text before what is said back. */
      prefix: z._default(z.string().check(z.maxLength(100)), 'echo: '),
    }),
  },
} as const satisfies Record<string, ProviderFacts>;

export type ProviderName = keyof typeof providers;

export type ProviderOptions<Name extends ProviderName> = z.output<
  (typeof providers)[Name]['options']
>;

export const providerNames = Object.keys(providers) as readonly ProviderName[];

export function isProviderName(name: string): name is ProviderName {
  return Object.hasOwn(providers, name);
}

/** Throws invalid_input with the option that does not fit. */
export function parseProviderOptions<Name extends ProviderName>(
  name: Name,
  given: unknown,
): ProviderOptions<Name> {
  const { options } = providers[name];
  const result = options.safeParse(given);
  if (result.success) return result.data as ProviderOptions<Name>;
  throw new BerthError(
    'invalid_input',
    `The options of the provider ${name} cannot be used: ${describeIssues(result.error, 'it')}.`,
    { next: `It may have: ${Object.keys(options.shape).join(', ')}.`, cause: result.error },
  );
}
