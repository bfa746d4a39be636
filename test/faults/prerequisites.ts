import { tell } from './seeded.js';

/**
 * For `skipIf`: whether a test cannot run here, and why, said aloud. Throws where nothing may be left out, as in CI
 * (BERTH_REQUIRE_DOCKER=1).
 */
export function isMissing(what: string, reason: string | undefined): boolean {
  if (reason === undefined) return false;
  if (process.env['BERTH_REQUIRE_DOCKER'] === '1') {
    throw new Error(`BERTH_REQUIRE_DOCKER=1, but not tested: ${what}: ${reason}`);
  }
  tell(`*** NOT TESTED: ${what}: ${reason} ***`);
  return true;
}
