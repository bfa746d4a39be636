/** Once before the fault tests: sees whether Docker can be used, and makes the daemon that may kill itself. */
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type { TestProject } from 'vitest/node';
import { setup as findDocker } from '../docker/global-setup.js';
import { doomedScript } from './doomed-home.js';

const flakyChannels: Plugin = {
  name: 'flaky-channels',
  setup: (bundle) => {
    const path = fileURLToPath(new URL('builtin-channels-flaky.ts', import.meta.url));
    bundle.onResolve({ filter: /\/builtin-channels\.js$/ }, () => ({ path }));
  },
};

export async function setup(project: TestProject): Promise<void> {
  await findDocker(project);
  // The daemon is one file, so that it starts as fast as the built one: two hundred starts are many.
  await build({
    entryPoints: [fileURLToPath(new URL('doomed-daemon-whole.ts', import.meta.url))],
    outfile: doomedScript,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    plugins: [flakyChannels],
    logLevel: 'warning',
  });
}
