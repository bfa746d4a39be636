import { statSync } from 'node:fs';
import { BerthError, hasCode } from '../shared/base/errors.js';
import { withDatabase } from '../shared/base/sqlite/sqlite.js';

/** Takes some 5 ms for each MiB: a larger file would keep the start waiting, and is read as it comes. */
const maxBytes = 4 * 1024 ** 2;

/**
 * Throws database_corrupt where a file is damaged in a way that its readers might not notice: a damaged tree can hide
 * rows without a sign. A file that is missing, large, or being written is left alone.
 */
export function assertSound(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0 || size > maxBytes) return;
  try {
    withDatabase(path, { mode: 'read', busyTimeoutMs: 0 }, (db) => {
      const found = db.pragma('integrity_check(1)', { simple: true });
      if (found === 'ok') return;
      throw new BerthError('database_corrupt', `The database ${path} is damaged.`, {
        facts: { path },
      });
    });
  } catch (error) {
    if (hasCode(error, 'database_corrupt')) throw error;
  }
}
