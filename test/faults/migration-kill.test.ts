import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import { until } from '../fakes/waiting.js';
import { DoomedHome } from './doomed-home.js';
import { rounds, Seeded } from './seeded.js';
import { expectKept } from './session-audit.js';

const shipped = fileURLToPath(new URL('../../migrations', import.meta.url));
const deaths = 3 * rounds;

/** Some seconds' work, written bit by bit: longer than any of the deaths here waits. */
const slowSql = `
CREATE TABLE slow (n INTEGER PRIMARY KEY, text TEXT NOT NULL);
WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 15000000)
INSERT INTO slow SELECT n, hex(randomblob(100)) FROM count WHERE n % 750 = 0;
`;

/** The shipped migrations and one more that takes its time. */
class SlowMigrations implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'berth-slow-'));
  readonly name: string;

  constructor() {
    cpSync(shipped, this.folder, { recursive: true });
    const central = join(this.folder, 'central');
    const number = String(readdirSync(central).length + 1).padStart(4, '0');
    this.name = `${number}-slow.sql`;
    writeFileSync(join(central, this.name), slowSql);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function listBackups(home: DoomedHome): readonly string[] {
  return readdirSync(join(home.home, 'data', 'backups')).filter((name) => name.endsWith('.db'));
}

it('kill -9 in a migration: the next start does it again, and what was before is in the backup', async () => {
  const random = Seeded.forTest();
  using migrations = new SlowMigrations();
  await using home = new DoomedHome('process');
  const ledger = home.ledger();
  const before = home.run();
  for (const chat of ['a', 'b', 'c']) ledger.say(chat);
  await ledger.untilOver();
  await before.kill();

  const doom = { program: { migrationsDir: migrations.folder } };
  for (let death = 0; death < deaths; death += 1) {
    const backups = listBackups(home).length;
    const doomed = home.run(doom);
    await until(() => {
      expect(listBackups(home).length).toBeGreaterThan(backups);
    });
    await wait(random.next() * 500);
    await doomed.kill();
  }

  home.run(doom);
  for (const chat of ['a', 'b', 'c', 'd']) ledger.say(chat);
  await ledger.untilOver();
  ledger.tellCounts({ killed: deaths });
  await expectKept(home, ledger);
  const applied = home.central((db) =>
    db.prepare('SELECT name FROM schema_migrations ORDER BY id').pluck().all(),
  );
  expect(applied.at(-1)).toBe(migrations.name);
  expect(home.central((db) => db.prepare('SELECT count(*) FROM slow').pluck().get())).toBe(20_000);
  for (const name of listBackups(home).slice(-deaths)) {
    const path = join(home.home, 'data', 'backups', name);
    withDatabase(path, { mode: 'read', busyTimeoutMs: 0 }, (db) => {
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(db.prepare('SELECT count(*) FROM received_messages').pluck().get()).toBe(3);
      expect(db.prepare('SELECT max(name) FROM schema_migrations').pluck().get()).not.toBe(
        migrations.name,
      );
    });
  }
});
