import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureInstallId } from './install-id.js';

describe('the id of an install', () => {
  let folder: string;

  function idOf(home: string): string {
    return ensureInstallId({ home, installIdFile: join(home, 'install-id') });
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-install-'));
    mkdirSync(join(folder, 'one'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is made once and stays, also when the home is reached through a link', () => {
    const id = idOf(join(folder, 'one'));
    expect(id).toMatch(/^[0-9a-f]{12}$/);
    symlinkSync(join(folder, 'one'), join(folder, 'link'));
    expect(idOf(join(folder, 'one'))).toBe(id);
    expect(idOf(join(folder, 'link'))).toBe(id);
  });

  it('is another one for a copied home and for another home', () => {
    const id = idOf(join(folder, 'one'));
    cpSync(join(folder, 'one'), join(folder, 'copy'), { recursive: true });
    mkdirSync(join(folder, 'two'));
    expect(new Set([id, idOf(join(folder, 'copy')), idOf(join(folder, 'two'))]).size).toBe(3);
  });
});
