import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDatabase } from '../shared/base/sqlite/sqlite.js';
import { InboundProbe } from './inbound-probe.js';

describe('an examination of inbound.db from outside', () => {
  let folder: string;
  let path: string;
  let probe: InboundProbe;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-probe-'));
    path = join(folder, 'inbound.db');
    probe = new InboundProbe(path);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Examines the file, and remembers what it saw as read. */
  function see(): string {
    const state = probe.examine();
    if (state.kind === 'changed') probe.markSeen(state.version);
    return state.kind;
  }

  /** The beginning of a file that SQLite has committed to so often. */
  function writeVersion(counter: number, size = 100): void {
    const bytes = Buffer.alloc(size);
    bytes.writeUInt32BE(counter, 24);
    writeFileSync(path, bytes);
    utimesSync(path, 1_000, 1_000);
  }

  it('finds a file unchanged once it was read, until it changes', () => {
    writeVersion(1);
    expect(see()).toBe('changed');
    expect(see()).toBe('unchanged');
    utimesSync(path, 1_000, 1_001);
    expect(see()).toBe('changed');
    writeVersion(1, 200);
    expect(see()).toBe('changed');
    expect(see()).toBe('unchanged');
  });

  it('tells two transactions of one moment apart', () => {
    writeVersion(1);
    expect(see()).toBe('changed');
    writeVersion(2);
    expect(see()).toBe('changed');
    expect(see()).toBe('unchanged');
  });

  it('tells every transaction of SQLite apart', () => {
    withDatabase(path, { mode: 'create', busyTimeoutMs: 0 }, (db) => {
      db.exec('CREATE TABLE numbers (number INTEGER)');
      for (let round = 0; round < 5; round += 1) {
        db.exec('UPDATE numbers SET number = 1; INSERT INTO numbers VALUES (0)');
        utimesSync(path, 1_000, 1_000);
        expect(see()).toBe('changed');
        expect(see()).toBe('unchanged');
      }
    });
  });

  it('does not count as read what was written while it was read, or taken back', () => {
    writeVersion(2);
    const state = probe.examine();
    writeVersion(1);
    if (state.kind === 'changed') probe.markSeen(state.version);
    writeVersion(2);
    expect(see()).toBe('changed');
  });

  it('trusts no file that has no count of its transactions', () => {
    writeFileSync(path, 'one');
    expect(see()).toBe('changed');
    expect(see()).toBe('changed');
    rmSync(path);
    mkdirSync(path);
    expect(see()).toBe('changed');
  });

  it('sees a transaction by its journal', () => {
    writeFileSync(path, 'one');
    writeFileSync(`${path}-journal`, '');
    expect(see()).toBe('committing');
    rmSync(`${path}-journal`);
    expect(see()).toBe('changed');
  });

  it('knows a file that is not there', () => {
    expect(see()).toBe('missing');
  });
});
