/**
 * This process copies central.db for a backup: `<database> <copy>`. The process waits for the disk, so that the
 * daemon's thread does not. The exit code is 0 when the copy is on disk, else 1, with the reason on standard error.
 */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { toBerthError } from '../../../shared/base/errors.js';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';

const busyTimeoutMs = 5_000;

function copy(from: string, to: string): void {
  withDatabase(from, { mode: 'write', busyTimeoutMs }, (db) => {
    db.prepare('VACUUM INTO ?').run(to);
  });
  const fd = openSync(to, 'r');
  fsyncSync(fd);
  closeSync(fd);
}

const [, , from = '', to = ''] = process.argv;
try {
  copy(from, to);
} catch (error) {
  process.stderr.write(toBerthError(error).message);
  process.exitCode = 1;
}
