import { BerthError } from '../../../shared/base/errors.js';
import { providers } from '../../../shared/protocol/provider-table.js';

/** Throws spec_refused where there is no such provider, or where one that runs tools would run without isolation and nobody allowed it. */
export function assertProviderAllowed(
  provider: string,
  runtime: { readonly isolates: boolean; readonly name: string },
  allowedWithoutIsolation: readonly string[],
  known: Readonly<Record<string, { readonly runsTools: boolean }>> = providers,
): void {
  const facts = Object.hasOwn(known, provider) ? known[provider] : undefined;
  if (facts === undefined) {
    throw new BerthError('spec_refused', `There is no provider ${JSON.stringify(provider)}.`, {
      next: `Give the agent group one of these: ${Object.keys(known).join(', ')}.`,
    });
  }
  if (runtime.isolates || !facts.runsTools) return;
  if (allowedWithoutIsolation.includes(provider)) return;
  throw new BerthError(
    'spec_refused',
    `The provider ${JSON.stringify(provider)} runs tools, and the ${runtime.name} runtime isolates nothing.`,
    {
      next: `Start Docker or Podman, or allow it by name: BERTH_ALLOW_UNISOLATED=${provider}`,
    },
  );
}
