import { BerthError } from '../../shared/base/errors.js';
import { parseProviderOptions, type ProviderName } from '../../shared/protocol/provider-table.js';
import type { Provider, ProviderContext, ProviderDefinition } from './provider.js';

/** Throws config_invalid where this runner does not hold it, and invalid_input for an option that does not fit. */
type MakeProvider = (context: ProviderContext, options: unknown) => Promise<Provider>;

/**
 * Each provider by its name; one without a line here does not compile. The build makes a runner for each, which holds that
 * provider and none of the others (scripts/runner-bundle.cjs): the import of another fails there.
 */
export const builtinProviders: Readonly<Record<ProviderName, MakeProvider>> = {
  echo: lazily('echo', async () => (await import('./echo-provider.js')).echoDefinition),
};

function lazily<Name extends ProviderName>(
  name: Name,
  load: () => Promise<ProviderDefinition<Name>>,
): MakeProvider {
  return async (context, options) => {
    const parsed = parseProviderOptions(name, options);
    const definition = await load().catch((cause: unknown) => {
      throw noProvider(name, cause);
    });
    return definition.create(context, parsed);
  };
}

export function noProvider(name: string, cause?: unknown): BerthError {
  return new BerthError('config_invalid', `This runner has no provider ${JSON.stringify(name)}.`, {
    next: 'Restart the session: the host starts the runner of its provider.',
    cause,
  });
}
