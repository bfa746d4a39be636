/** Finds where this program lies. This file knows no settings, so that what needs only its version starts at once. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json: the program runs from its sources (host/config/program.ts) or built (dist/host/main.js). */
export function programRoot(): string {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, 'package.json'))) root = dirname(root);
  return root;
}

/** The version in package.json. */
export function programVersion(): string {
  const facts: unknown = JSON.parse(readFileSync(join(programRoot(), 'package.json'), 'utf8'));
  const version = typeof facts === 'object' && facts !== null && 'version' in facts;
  return version ? String(facts.version) : 'unknown';
}
