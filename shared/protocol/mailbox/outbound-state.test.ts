import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../base/sqlite/migrate.js';
import { withDatabase } from '../../base/sqlite/sqlite.js';
import { OutboundWriter, type OutboundCommit } from './outbound-writer.js';

const nothing: OutboundCommit = { rows: [], acks: [], inboundMaxSeq: 0, nowMs: 0 };

describe('a provider’s notes', () => {
  let folder: string;
  let writer: OutboundWriter;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-state-'));
    writer = new OutboundWriter(join(folder, 'outbound.db'));
    writer.create(readMigrations('migrations/outbound'));
  });

  afterEach(() => {
    writer.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function keys(): unknown[] {
    return withDatabase(join(folder, 'outbound.db'), { mode: 'read', busyTimeoutMs: 100 }, (db) =>
      db.prepare('SELECT key FROM session_state ORDER BY key').pluck().all(),
    );
  }

  it('are written, changed and taken away in the transaction of a turn', () => {
    const acks = [{ status: 'completed', id: 'm-1' }] as const;
    writer.commit({ ...nothing, acks, state: [{ key: 'color', value: 'blue' }] });
    expect(writer.findState('color')).toBe('blue');
    writer.commit({ ...nothing, state: [{ key: 'color', value: '' }] });
    expect(writer.findState('color')).toBe('');
    writer.commit({ ...nothing, state: [{ key: 'color', value: null }] });
    expect(writer.findState('color')).toBeUndefined();
    expect(keys()).toEqual([]);
  });

  it('never meet those of the runner about messages', () => {
    const acks = [{ status: 'failed', id: 'm-1', tries: 2, reason: 'no' }] as const;
    writer.commit({ ...nothing, acks, state: [{ key: 'tries:m-1', value: '99' }] });
    expect(writer.findState('tries:m-1')).toBe('99');
    expect(writer.findState('failure:m-1')).toBeUndefined();
    expect(keys()).toEqual(['agent:tries:m-1', 'failure:m-1', 'tries:m-1']);
  });
});
