import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readMigrations } from '../../shared/base/sqlite/migrate.js';
import { openStore, openStoreToRead } from './central/central-db.js';

const central = readMigrations('migrations/central');

it.each(['inbound', 'outbound'])(
  'a migration of %s.db comes with one of central.db, which keeps a daemon of before from starting',
  (file) => {
    for (const { name } of readMigrations(`migrations/${file}`).slice(1)) {
      const naming = central.filter(({ sql }) => sql.includes(`${file}/${name}`));
      expect(naming, name).toHaveLength(1);
    }
  },
);

it('a program that knows the first version of outbound.db only refuses a home of today, and says so', () => {
  const root = mkdtempSync(join(tmpdir(), 'berth-before-'));
  try {
    const paths = {
      centralDb: join(root, 'central.db'),
      backupsDir: join(root, 'backups'),
      migrationsDir: 'migrations',
    };
    const before = { ...paths, migrationsDir: join(root, 'migrations') };
    for (const { name } of central.slice(0, 3)) {
      cpSync(`migrations/central/${name}`, join(before.migrationsDir, 'central', name));
    }
    openStore(before, 0).store.close();
    const { store, applied } = openStore(paths, 0);
    store.close();
    expect(applied).toEqual(central.slice(3).map(({ name }) => name));
    for (const open of [openStore, openStoreToRead]) {
      expect(() => open(before, 0)).toThrow(
        expect.objectContaining({
          code: 'migration_refused',
          message: `The database knows migration ${applied[0]!}, this program does not.`,
          next: 'Run the Berth version that wrote this database, or a newer one.',
        }),
      );
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
