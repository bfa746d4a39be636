import { execa } from 'execa';
import { describe, inject } from 'vitest';
import { placesPath } from '../contracts/places-path.js';
import { wholePath } from '../contracts/whole-path.js';
import { BerthHome } from '../fakes/berth-home.js';

const docker = inject('docker');

// `docker ps` asks for what the labels say, as a person would.
describe.skipIf(!docker.available)('with containers', () => {
  const harness = {
    home: (env: Record<string, string> = {}): BerthHome => {
      const baseImage = docker.available ? docker.baseImage : undefined;
      const base = baseImage === undefined ? {} : { BERTH_BASE_IMAGE: baseImage };
      return new BerthHome('docker', { ...base, ...env });
    },
    running: async (home: BerthHome): Promise<ReadonlyMap<string, string>> => {
      const sessions = await home.json<{ id: string }[]>('sessions', 'list');
      const { stdout } = await execa('docker', [
        'ps',
        '--no-trunc',
        '--filter',
        'label=berth.session',
        '--format',
        '{{.Label "berth.session"}} {{.ID}}',
      ]);
      const found = new Map(stdout.split('\n').map((line) => line.split(' ') as [string, string]));
      return new Map(
        sessions.flatMap(({ id }) => {
          const containerId = found.get(id);
          return containerId === undefined ? [] : [[id, containerId] as const];
        }),
      );
    },
  };
  wholePath('docker', harness);
  placesPath('docker', harness);
});
