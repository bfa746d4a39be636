import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InboundProbe } from './inbound-probe.js';

describe('a look at inbound.db from outside', () => {
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

  /** Looks, and remembers what it saw as read. */
  function see(): string {
    const state = probe.look();
    if (state.kind === 'changed') probe.markSeen(state.version);
    return state.kind;
  }

  it('finds an old file unchanged once it was read, until it changes', () => {
    writeFileSync(path, 'one');
    utimesSync(path, 1_000, 1_000);
    expect(see()).toBe('changed');
    expect(see()).toBe('unchanged');
    utimesSync(path, 1_000, 1_001);
    expect(see()).toBe('changed');
    writeFileSync(path, 'longer');
    utimesSync(path, 1_000, 1_001);
    expect(see()).toBe('changed');
    expect(see()).toBe('unchanged');
  });

  it('trusts no file time that another write could still share', () => {
    writeFileSync(path, 'one');
    expect(see()).toBe('changed');
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
