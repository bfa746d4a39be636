import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** The daemon's processes and the thread for inbound.db files, each bundled as the build does it. */
export interface WorkerBundles extends Disposable {
  readonly reader: string;
  readonly inboundThread: string;
  readonly centralBackup: string;
}

/** Below node_modules, where they find the SQLite addon. */
const cache = join('node_modules', '.cache');

export async function bundleWorkers(): Promise<WorkerBundles> {
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(process.cwd(), cache, 'workers-'));
  await build({
    entryPoints: {
      reader: 'host/sessions/reader/reader-main.ts',
      'inbound-thread': 'host/sessions/mailbox/inbound-thread-main.ts',
      'central-backup': 'host/store/central/backup-main.ts',
    },
    outdir: dir,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['better-sqlite3'],
  });
  return {
    reader: join(dir, 'reader.cjs'),
    inboundThread: join(dir, 'inbound-thread.cjs'),
    centralBackup: join(dir, 'central-backup.cjs'),
    [Symbol.dispose]: () => {
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
