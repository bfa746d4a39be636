import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleRunner, listProviders } from '../test/fakes/runner-bundle.js';

describe('the bundle of a provider’s runner', () => {
  let folder: string;
  let outfile: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-bundle-'));
    outfile = join(folder, 'runner-parrot.cjs');
    mkdirSync(join(folder, 'providers'));
    for (const name of ['parrot', 'owl']) {
      const code = `export const says = 'this is the ${name}';`;
      writeFileSync(join(folder, 'providers', `${name}-provider.ts`), code);
    }
    writeFileSync(join(folder, 'providers', 'owl-provider.test.ts'), '');
    const load = (name: string): string =>
      `${name}: () => import('./providers/${name}-provider.js')`;
    const main = `const all = { ${load('parrot')}, ${load('owl')} };
      void all[process.argv[2]]().then(({ says }) => console.log(says), () => console.log('not here'));`;
    writeFileSync(join(folder, 'main.ts'), main);
    await bundleRunner({ container: folder, provider: 'parrot', outfile });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is made for each provider that has a file', () => {
    expect([...listProviders(folder)].sort()).toEqual(['owl', 'parrot']);
  });

  it('holds that provider, and nothing of the others', () => {
    const code = readFileSync(outfile, 'utf8');
    expect(code).toContain('this is the parrot');
    expect(code).not.toContain('this is the owl');
  });

  it.each([
    ['parrot', 'this is the parrot'],
    ['owl', 'not here'],
  ])('asked for %s, it says: %s', (name, said) => {
    const { stdout } = spawnSync(process.execPath, [outfile, name], { encoding: 'utf8' });
    expect(stdout.trim()).toBe(said);
  });
});
