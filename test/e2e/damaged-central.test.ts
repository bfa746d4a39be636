import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { BerthHome, mainScript } from '../fakes/berth-home.js';
import { until } from '../fakes/waiting.js';

it.each(['no daemon runs', 'a daemon runs'])(
  'the steps that are told for a damaged central.db lead back to the backup, typed as they stand: %s',
  async (when) => {
    await using home = new BerthHome('process');
    const bin = mkdtempSync(join(tmpdir(), 'berth-bin-'));
    try {
      expect((await home.berth('chat', 'one')).stdout).toBe('echo: one');
      const data = join(home.home, 'data');
      await until(() => {
        expect(readdirSync(join(data, 'backups')).join(' ')).toContain('central-');
      });
      if (when === 'no daemon runs') await home.berth('stop');
      for (const name of readdirSync(data).filter((it) => /^central\.db(-wal)?$/.test(it))) {
        const path = join(data, name);
        writeFileSync(path, Buffer.alloc(readFileSync(path).length, 'no database'), { flag: 'r+' });
      }
      const { exitCode, stderr } = await home.berth('sessions', 'list');
      expect(exitCode).toBe(1);
      expect(stderr).toContain('is damaged');
      for (const name of ['central.db-wal', 'central.db-shm']) expect(stderr).toContain(name);
      const steps = stderr.split('\n').filter((line) => line.startsWith('  '));
      const berth = join(bin, 'berth');
      writeFileSync(berth, `#!/bin/sh\nexec ${process.execPath} ${mainScript} "$@"\n`);
      chmodSync(berth, 0o755);
      const env = { ...home.env, PATH: `${bin}:${home.env['PATH'] ?? ''}` };
      await execa('/bin/sh', ['-ec', steps.join('\n')], { env, extendEnv: false });
      expect((await home.berth('chat', 'two')).stdout).toBe('echo: two');
    } finally {
      rmSync(bin, { recursive: true, force: true });
    }
  },
);
