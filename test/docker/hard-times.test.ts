import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, inject, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';

const docker = inject('docker');
const base =
  docker.available && docker.baseImage !== undefined ? { BERTH_BASE_IMAGE: docker.baseImage } : {};

describe.skipIf(!docker.available)('with an engine, in hard times', () => {
  it('tells the chat when the agent image does not build, and status says why', async () => {
    await using home = new BerthHome('docker', {
      BERTH_BASE_IMAGE: 'berth-nowhere.invalid/none:0',
    });
    await home.start();
    await using wire = await home.wire();
    wire.say('hello');
    await wire.until(() => wire.replies().length > 0, 60_000);
    expect(wire.replies()[0]).toContain('cannot be started right now');
  });

  it('falls back to plain processes when it may choose and the image does not build', async () => {
    await using home = new BerthHome('auto', { BERTH_BASE_IMAGE: 'berth-nowhere.invalid/none:0' });
    const { stdout, stderr } = await home.berth('chat', 'hello');
    expect(stdout).toBe('echo: hello');
    expect(stderr).toContain('nothing isolates them');
  });

  it.skipIf(process.getuid?.() !== 0)(
    'refuses a message that the full disk cannot take, and goes on when there is room',
    async () => {
      await using home = new BerthHome('docker', base);
      const data = join(home.home, 'data');
      mkdirSync(data);
      await execa('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', data]);
      try {
        await home.start();
        await using wire = await home.wire();
        wire.say('before');
        await wire.until(() => wire.of('done').length === 1);
        await execa('/usr/bin/dd', ['if=/dev/zero', `of=${join(data, 'filler')}`, 'bs=4k'], {
          reject: false,
        });
        wire.say('no room', { id: 'kept-by-the-sender' });
        await wire.until(() => wire.of('error').length === 1);
        expect(wire.of('error')[0]).toMatchObject({ code: 'disk_full', id: 'kept-by-the-sender' });
        await execa('/usr/bin/rm', [join(data, 'filler')]);
        wire.say('no room', { id: 'kept-by-the-sender' });
        await wire.until(() => wire.replies().includes('echo: no room'));
        expect(wire.replies()).toEqual(['echo: before', 'echo: no room']);
      } finally {
        await home.berth('stop');
        await execa('/usr/bin/umount', ['-l', data]);
      }
    },
  );
});
