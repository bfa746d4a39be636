import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../../../shared/base/sqlite/migrate.js';
import { withDatabase } from '../../../../shared/base/sqlite/sqlite.js';
import { rebuildOutbound } from './outbound-rebuild.js';

const migrations = readMigrations('migrations/outbound');

describe('an outbound.db of version 1', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-rebuild-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is rebuilt as a file of today, without a null', () => {
    const path = join(folder, 'outbound.db');
    const target = join(folder, 'rebuilt.db');
    cpSync('test/fixtures/outbound-version-1.db', path);
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.exec(
        `INSERT INTO session_state VALUES ('failure:m-9', NULL, ''), ('tries:m-9', hex(zeroblob(600000)), '')`,
      );
    });
    const request = { copy: path, draft: target, migrations };
    const salvage = rebuildOutbound(request);
    expect(salvage).toMatchObject({ messageCount: 3, isComplete: true, hasAllOutcomes: true });
    const state = withDatabase(target, { mode: 'read', busyTimeoutMs: 0 }, (db) =>
      db.prepare('SELECT key, value FROM session_state').raw().all(),
    );
    expect(state).toEqual([
      ['tries:m-2', '1'],
      ['failure:m-2', 'the provider was told to fail'],
      ['tries:m-3', '2'],
      ['pruned', ''],
      ['failure:m-9', ''],
      ['tries:m-9', ''],
    ]);
  });
});
