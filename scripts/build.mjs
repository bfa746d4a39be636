// Makes dist/: the program (dist/host), what the agent image is built from and the process runtime runs (dist/agent-image), and
// the daemon's reader and backup processes and the thread that uses inbound.db files (dist/workers), one file each.
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundleRunner, listProviders } from './runner-bundle.cjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'dist', 'agent-image');
const sqlite = dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json'));

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

// better-sqlite3 looks for its addon through this package; here it always lies beside the bundle.
const alias = { bindings: join(root, 'scripts', 'bundled-addon.cjs') };
const container = join(root, 'container');
for (const provider of listProviders(container)) {
  await bundleRunner({ container, provider, outfile: join(out, `runner-${provider}.cjs`), alias });
}
// A daemon of before, which runs on while this is built, starts its runner by this name.
writeFileSync(join(out, 'runner.cjs'), "require('./runner-echo.cjs');\n");

cpSync(join(sqlite, 'build', 'Release', 'better_sqlite3.node'), join(out, 'better_sqlite3.node'));
cpSync(join(root, 'migrations', 'outbound'), join(out, 'migrations', 'outbound'), {
  recursive: true,
});
cpSync(join(root, 'Dockerfile.agent'), join(out, 'Dockerfile'));
cpSync(join(root, 'scripts', 'fit-addon.sh'), join(out, 'fit-addon.sh'));

// What the image builds the addon from when the host's does not load in it.
const { version } = JSON.parse(readFileSync(join(sqlite, 'package.json'), 'utf8'));
writeFileSync(
  join(out, 'package.json'),
  `${JSON.stringify({
    private: true,
    dependencies: { 'better-sqlite3': version },
    allowScripts: { [`better-sqlite3@${version}`]: true },
  })}\n`,
);

const workers = join(root, 'dist', 'workers');
rmSync(workers, { recursive: true, force: true });
const sessions = join(root, 'host', 'sessions');
await build({
  entryPoints: {
    reader: join(sessions, 'reader', 'reader-main.ts'),
    'inbound-thread': join(sessions, 'mailbox', 'inbound-thread-main.ts'),
    'central-backup': join(root, 'host', 'store', 'central', 'backup-main.ts'),
  },
  outdir: workers,
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minifySyntax: true,
  // The daemon's own, so that its code is in memory once.
  external: ['better-sqlite3'],
  logLevel: 'warning',
});

// A command loads the files that it needs, and each of them at once: hundreds of small ones take half a second to find.
const program = join(root, 'dist', 'host');
rmSync(program, { recursive: true, force: true });
await build({
  entryPoints: [join(root, 'host', 'main.ts')],
  outdir: program,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Addons, and what loads them.
  external: ['better-sqlite3', 'dockerode', 'pino'],
  // Packages in CommonJS ask for Node's modules.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
  },
  logLevel: 'warning',
});
chmodSync(join(program, 'main.js'), 0o755);
