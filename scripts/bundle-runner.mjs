// Makes dist/agent-image: everything the agent image is built from, and what the process runtime runs.
// The runner becomes one file, so that it starts fast; the SQLite addon lies beside it.
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'dist', 'agent-image');
const sqlite = dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json'));

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

await build({
  entryPoints: [join(root, 'container', 'main.ts')],
  outfile: join(out, 'runner.cjs'),
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minifySyntax: true,
  // better-sqlite3 looks for its addon through this package; here it always lies beside the bundle.
  alias: { bindings: join(root, 'scripts', 'bundled-addon.cjs') },
  logLevel: 'warning',
});

cpSync(join(sqlite, 'build', 'Release', 'better_sqlite3.node'), join(out, 'better_sqlite3.node'));
cpSync(join(root, 'migrations', 'outbound'), join(out, 'migrations', 'outbound'), { recursive: true });
cpSync(join(root, 'Dockerfile.agent'), join(out, 'Dockerfile'));
