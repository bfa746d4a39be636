import { expect, it } from 'vitest';
import { providerNames } from '../../shared/protocol/provider-names.js';
import { builtinProviders } from './builtin-providers.js';

it('has the providers that the host knows by name, and no others', () => {
  expect(builtinProviders.map(({ name }) => name)).toEqual(providerNames);
});
