import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';

const asPlainUser = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'];

/** Many commands, one after the other. */
const timeout = 180_000;

describe.runIf(process.getuid?.() === 0)(
  'a plain user in a home that root has worked in',
  { timeout },
  () => {
    function ownedBy(uid: number, home: BerthHome): void {
      execFileSync('chown', ['-R', `${uid}:${uid}`, home.home]);
    }

    it('is told at the start which folder is not theirs, and what to do', async () => {
      await using home = new BerthHome('process', {}, { through: asPlainUser });
      ownedBy(1000, home);
      expect((await home.berth('chat', 'before')).stdout).toBe('echo: before');
      const [session] = await home.json<{ id: string }[]>('sessions', 'list');
      await home.berth('stop');
      const folder = home.sessionDir(session?.id ?? '');
      execFileSync('chown', ['-R', '0:0', folder]);
      await home.start();
      const { stdout } = await home.berth('status', '--json');
      expect(stdout).toContain(`Berth runs as user 1000 and may not write ${folder}`);
      expect(stdout).toContain('chown -R 1000:1000');
      await home.berth('stop');
      ownedBy(1000, home);
      expect((await home.berth('chat', 'after')).stdout).toBe('echo: after');
      expect((await home.berth('status', '--json')).stdout).not.toContain('chown');
    });

    it('is refused with a sentence where all of it is root’s', async () => {
      await using home = new BerthHome('process', {}, { through: asPlainUser });
      ownedBy(1000, home);
      expect((await home.berth('chat', 'before')).stdout).toBe('echo: before');
      await home.berth('stop');
      ownedBy(0, home);
      const { exitCode, stderr } = await home.berth('start', '--detach');
      expect(exitCode).toBe(1);
      expect(stderr).toContain('permission denied');
      expect(stderr).toContain('owner or mode');
      ownedBy(1000, home);
    });

    it('goes on as root with what the plain user had, and as the plain user again after a chown', async () => {
      await using home = new BerthHome('process', {}, { through: asPlainUser });
      ownedBy(1000, home);
      expect((await home.berth('chat', 'before')).stdout).toBe('echo: before');
      await home.berth('stop');
      home.startThrough();
      expect((await home.berth('chat', 'as root')).stdout).toBe('echo: as root');
      await home.berth('stop');
      home.startThrough(...asPlainUser);
      ownedBy(1000, home);
      expect((await home.berth('chat', 'after')).stdout).toBe('echo: after');
      expect(await home.json('dead-letters', 'list')).toEqual([]);
    });
  },
);
