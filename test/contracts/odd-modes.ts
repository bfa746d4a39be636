import { readdirSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BerthHome } from '../fakes/berth-home.js';
import { underUmask } from '../fakes/shell-words.js';

/** The shell, or a service's UMask=, decides nothing. */
export function oddModes(name: string, home: (through: readonly string[]) => BerthHome): void {
  describe(`the modes of files with the ${name} runtime`, () => {
    it.each(['077', '027', '000'])('do not depend on umask %s', async (umask) => {
      await using berth = home(underUmask(umask));
      const { stdout, stderr } = await berth.berth('chat', 'hello');
      expect(stdout, stderr).toBe('echo: hello');
      const [session] = await berth.json<{ id: string }[]>('sessions', 'list');
      const dir = berth.sessionDir(session?.id ?? '');
      const modes = Object.fromEntries(
        [
          '.',
          'in',
          'in/inbound.db',
          'in/runner.json',
          'out',
          'out/outbound.db',
          'view',
          'home',
        ].map((path) => [path, modeOf(join(dir, path))]),
      );
      expect(modes).toEqual({
        '.': '711',
        in: '755',
        'in/inbound.db': '644',
        'in/runner.json': '644',
        out: '755',
        'out/outbound.db': '644',
        view: '711',
        home: '700',
      });
    });

    it('keep what is private from others, whatever the umask is', async () => {
      await using berth = home(underUmask('000'));
      await berth.berth('chat', 'hello');
      const data = join(berth.home, 'data');
      // Its readers may enter, who are a user of their own where the daemon is root.
      expect(modeOf(data)).toBe(isRoot ? '710' : '700');
      expect(lstatSync(data).gid).toBe(isRoot ? 64_998 : process.getgid?.());
      const names = ['central.db', 'daemon.lock', 'install-id', 'terminal.sock', 'logs/daemon.log'];
      for (const path of names) expect([path, modeOf(join(data, path))]).toEqual([path, '600']);
      for (const folder of ['backups', 'logs']) expect(modeOf(join(data, folder))).toBe('700');
      for (const backup of readdirSync(join(data, 'backups')))
        expect(modeOf(join(data, 'backups', backup))).toBe('600');
      // Nobody else may change what agents are told.
      expect(modeOf(join(berth.home, 'groups'))).toBe('755');
      expect(modeOf(join(berth.home, 'groups', 'main'))).toBe('755');
    });
  });
}

const isRoot = process.getuid?.() === 0;

function modeOf(path: string): string {
  return (lstatSync(path).mode & 0o777).toString(8);
}
