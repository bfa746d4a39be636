import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ensureInstallId } from './install-id.js';

it('the id of an install stays, and a copied home is another install', () => {
  const root = mkdtempSync(join(tmpdir(), 'berth-install-'));
  try {
    const home = join(root, 'home');
    cpSync('groups', home, { recursive: true });
    const id = ensureInstallId({ home, installIdFile: join(home, 'install-id') });
    expect(id).toMatch(/^[0-9a-f]{12}$/);
    expect(ensureInstallId({ home, installIdFile: join(home, 'install-id') })).toBe(id);

    const link = join(root, 'link');
    symlinkSync(home, link);
    expect(ensureInstallId({ home: link, installIdFile: join(link, 'install-id') })).toBe(id);

    const copy = join(root, 'copy');
    cpSync(home, copy, { recursive: true });
    expect(ensureInstallId({ home: copy, installIdFile: join(copy, 'install-id') })).not.toBe(id);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
