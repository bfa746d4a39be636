import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { placesPath } from '../contracts/places-path.js';
import { wholePath } from '../contracts/whole-path.js';
import { BerthHome } from '../fakes/berth-home.js';

interface ProcessRecord {
  readonly pid: number;
  readonly owner: { readonly sessionId: string };
}

const harness = {
  home: (env: Record<string, string> = {}) => new BerthHome('process', env),
  running: (home: BerthHome): Promise<ReadonlyMap<string, string>> => {
    const folder = join(home.home, 'data', 'processes');
    const records = readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as ProcessRecord)
      .filter(({ pid }) => isAlive(pid));
    return Promise.resolve(
      new Map(records.map(({ pid, owner }) => [owner.sessionId, String(pid)] as const)),
    );
  },
};

wholePath('process', harness);
placesPath('process', harness);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
