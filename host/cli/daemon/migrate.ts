import { openStore, listPendingMigrations } from '../../store/central/central-db.js';
import { DaemonLock } from '../../store/home/daemon-lock.js';
import type { AddCommands, CommandContext } from '../command/command-context.js';
import { centralPaths } from '../command/store-access.js';

export const addMigrateCommand: AddCommands = (program, act) => {
  program
    .command('migrate')
    .description('bring the central database up to date; it is backed up before')
    .option('--dry-run', 'only say what would be done')
    .action(act(migrate));
};

/** A daemon does this at its start; here it is done, or shown, by itself. Throws daemon_running. */
function migrate(context: CommandContext, options: { readonly dryRun?: boolean }): void {
  const { config, clock, output } = context;
  const paths = centralPaths(config);
  const pending = listPendingMigrations(paths);
  if (options.dryRun === true) {
    output.result({ pending }, () => describe('To be applied', pending));
    return;
  }
  if (pending.length === 0) {
    output.result({ applied: [], backup: null }, () => describe('Applied', []));
    return;
  }
  const lock = DaemonLock.acquire(config.paths.lock);
  try {
    const { store, applied, backup } = openStore(paths, clock.now());
    store.close();
    output.result(
      { applied, backup: backup ?? null },
      () => `${describe('Applied', applied)}${backup === undefined ? '' : `\nBackup: ${backup}`}`,
    );
  } finally {
    lock.release();
  }
}

function describe(what: string, names: readonly string[]): string {
  return names.length === 0
    ? 'The central database is up to date.'
    : `${what}: ${names.join(', ')}`;
}
