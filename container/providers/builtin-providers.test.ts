import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { systemClock } from '../../shared/base/clock.js';
import { silentLogger } from '../../shared/base/logger.js';
import { providerNames } from '../../shared/protocol/provider-table.js';
import { builtinProviders } from './builtin-providers.js';
import type { ProviderContext } from './provider.js';

const context: ProviderContext = {
  workspace: { inDir: '/in', outDir: '/out', agentDir: '/agent', homeDir: '/home' },
  heartbeatIntervalMs: 1_000,
  exit: () => {
    throw new Error('exit');
  },
  clock: systemClock,
  log: silentLogger,
};

it.each(providerNames)('the provider %s can be made without options', async (name) => {
  expect(await builtinProviders[name](context, {})).toMatchObject({
    runTurn: expect.any(Function) as unknown,
  });
});

it('a provider lies in a file of its name, so that the build finds it', () => {
  const files = readdirSync('container/providers').filter((name) => name.endsWith('-provider.ts'));
  expect(files.sort()).toEqual(providerNames.map((name) => `${name}-provider.ts`).sort());
});
