import { BerthError } from '../../../shared/base/errors.js';
import { providerNames } from '../../../shared/protocol/provider-names.js';

/** Providers that only answer: they run no tools, so they can do no more without a container than with one. */
const providersWithoutTools: readonly string[] = ['echo'];

/** Throws spec_refused where there is no such provider, or where one that runs tools would run without isolation and nobody allowed it. */
export function assertProviderAllowed(
  provider: string,
  runtime: { readonly isolates: boolean; readonly name: string },
  allowedWithoutIsolation: readonly string[],
  known: readonly string[] = providerNames,
): void {
  if (!known.includes(provider)) {
    throw new BerthError('spec_refused', `There is no provider ${JSON.stringify(provider)}.`, {
      next: `Give the agent group one of these: ${known.join(', ')}.`,
    });
  }
  if (runtime.isolates || providersWithoutTools.includes(provider)) return;
  if (allowedWithoutIsolation.includes(provider)) return;
  throw new BerthError(
    'spec_refused',
    `The provider ${JSON.stringify(provider)} runs tools, and the ${runtime.name} runtime isolates nothing.`,
    {
      next: `Start Docker or Podman, or allow it by name: BERTH_ALLOW_UNISOLATED=${provider}`,
    },
  );
}
