import { existsSync } from 'node:fs';
import { BerthError } from '../../../shared/base/errors.js';
import { ensureDefaultAgentGroup } from '../../sessions/default-agent-group.js';
import {
  listPendingMigrations,
  openStore,
  openStoreToRead,
} from '../../store/central/central-db.js';
import { isDaemonLockHeld } from '../../store/home/daemon-lock.js';
import type { Store } from '../../store/store.js';
import type { Config } from '../../config/config.js';
import { assertSettings, type CommandContext } from './command-context.js';
import { makeFolder } from './home-access.js';

export function centralPaths({ paths, program }: Config): {
  centralDb: string;
  backupsDir: string;
  migrationsDir: string;
} {
  return { ...paths, migrationsDir: program.migrationsDir };
}

/** Reads without a trace: a home that was never used is an empty one, and stays so. */
export function readStore<T>(context: CommandContext, use: (store: Store) => T): T {
  const store = openStoreToRead(centralPaths(context.config));
  try {
    return use(store);
  } finally {
    store.close();
  }
}

/** Writes all of it or nothing. A home that was never used is made ready first. */
export function writeStore<T>(context: CommandContext, use: (store: Store) => T): T {
  const { config, clock, output } = context;
  const paths = centralPaths(config);
  const isFresh = !existsSync(paths.centralDb);
  if (isFresh) assertHomeLasts(context);
  makeFolder(config.paths.dataDir);
  if (!isFresh && listPendingMigrations(paths).length > 0) assertNoDaemon(config);
  const { store, applied, backup } = openStore(paths, clock.now());
  try {
    if (backup !== undefined) {
      output.note(`The central database was migrated (${applied.join(', ')}); backup: ${backup}`);
    }
    return store.transaction(() => {
      const groups = { ...config.paths, ...config.program };
      if (isFresh) ensureDefaultAgentGroup({ ...context, store, groups });
      return use(store);
    });
  } finally {
    store.close();
  }
}

/** Nothing is begun where the next installation would take it away. Throws config_invalid. */
function assertHomeLasts(context: CommandContext): void {
  const home = context.settings.find(({ name }) => name === 'BERTH_HOME');
  if (home?.problem !== undefined) assertSettings(context);
}

function assertNoDaemon(config: Config): void {
  if (!isDaemonLockHeld(config.paths.lock)) return;
  throw new BerthError('daemon_running', 'The daemon that runs is of an older version.', {
    next: 'Bring it up to date with `berth restart`, then try again.',
  });
}
