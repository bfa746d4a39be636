/**
 * Runs once before the tests: no test may write into the real home of whoever runs them. HOME and XDG_DATA_HOME lead to a
 * folder of the tests' own; what appears there as a Berth home fails the run.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export function setup(): (() => void) | undefined {
  // Each project of a run comes here; the first one sets the guard.
  if (process.env['BERTH_TEST_GUARDED_HOME'] !== undefined) return undefined;
  const { HOME: home, XDG_DATA_HOME: dataHome } = process.env;
  const guarded = mkdtempSync(join(tmpdir(), 'berth-guarded-home-'));
  const real = join(userInfo().homedir, '.berth');
  const wasThere = existsSync(real);
  process.env['BERTH_TEST_GUARDED_HOME'] = guarded;
  process.env['HOME'] = guarded;
  delete process.env['XDG_DATA_HOME'];
  delete process.env['BERTH_HOME'];
  return () => {
    const found = readdirSync(guarded).filter((name) => name === '.berth' || name === 'berth');
    rmSync(guarded, { recursive: true, force: true });
    delete process.env['BERTH_TEST_GUARDED_HOME'];
    if (home !== undefined) process.env['HOME'] = home;
    if (dataHome !== undefined) process.env['XDG_DATA_HOME'] = dataHome;
    const written = [
      ...found.map((name) => join(guarded, name)),
      ...(existsSync(real) && !wasThere ? [real] : []),
    ];
    if (written.length === 0) return;
    process.exitCode = 1;
    throw new Error(
      `A test wrote into a home that it had not named: ${written.join(', ')}. Set BERTH_HOME in it.`,
    );
  };
}
