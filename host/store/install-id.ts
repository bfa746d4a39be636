import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';

export interface InstallPaths {
  readonly home: string;
  readonly installIdFile: string;
}

/**
 * Names this install on its containers, in 12 hex digits. Made of a random id that is kept in a file, and of
 * where the home lies: a copied home is another install, and leaves the containers of the first alone.
 * For the holder of the daemon's lock: two programs at once would each make an id.
 */
export function ensureInstallId(paths: InstallPaths): string {
  if (!existsSync(paths.installIdFile)) {
    const draft = `${paths.installIdFile}.new`;
    writeFileSync(draft, `${randomUUID()}\n`, { mode: 0o600 });
    renameSync(draft, paths.installIdFile);
  }
  const id = readFileSync(paths.installIdFile, 'utf8').trim();
  const identity = `${id}\n${realpathSync(paths.home)}`;
  return createHash('sha256').update(identity).digest('hex').slice(0, 12);
}
