import { EchoProvider } from './echo-provider.js';
import type { ProviderDefinition } from './provider.js';

export const builtinProviders: readonly ProviderDefinition[] = [
  { name: 'echo', create: (context) => new EchoProvider(context) },
];
