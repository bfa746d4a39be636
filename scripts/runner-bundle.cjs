'use strict';
// Bundles the runner for each provider: container/main.ts with that provider, and none of the others.
const { readdirSync } = require('node:fs');
const { join } = require('node:path');
const { build } = require('esbuild');

const suffix = '-provider.ts';

/** The names of the providers below a container/ folder: each lies in a file of its name. */
function listProviders(container) {
  const files = readdirSync(join(container, 'providers'));
  return files.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
}

/** Writes one file, so that it starts fast; the SQLite addon lies beside it. `alias`: as esbuild takes it. */
async function bundleRunner({ container, provider, outfile, alias = {} }) {
  await build({
    entryPoints: [join(container, 'main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minifySyntax: true,
    alias,
    plugins: [only(provider)],
    logLevel: 'warning',
  });
}

/** The import of another provider stays an import, of a file that is not there. */
function only(provider) {
  return {
    name: 'only-one-provider',
    setup(bundle) {
      bundle.onResolve({ filter: /-provider\.js$/ }, ({ kind, path }) =>
        kind === 'dynamic-import' && !path.endsWith(`/${provider}-provider.js`)
          ? { path, external: true }
          : undefined,
      );
    },
  };
}

module.exports = { bundleRunner, listProviders };
