import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packContext, readImageContext } from './image-context.js';

describe("the agent image's inputs", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-context-'));
    await mkdir(join(folder, 'migrations'));
    await writeFile(join(folder, 'Dockerfile'), 'ARG BASE_IMAGE=node:1\nFROM ${BASE_IMAGE}\n');
    await writeFile(join(folder, 'migrations', '0001.sql'), 'SELECT 1;\n');
    await writeFile(join(folder, 'runner.cjs'), Buffer.alloc(1_000, 'x'), { mode: 0o600 });
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function hash(baseImage?: string): Promise<string> {
    return (await readImageContext(folder, baseImage)).inputsHash;
  }

  it('hash alike when nothing changed, and otherwise when a byte, a name or the base image did', async () => {
    const hashes = [await hash()];
    expect(await hash()).toBe(hashes[0]);
    hashes.push(await hash('node:2'));
    await writeFile(join(folder, 'migrations', '0001.sql'), 'SELECT 2;\n');
    hashes.push(await hash());
    await writeFile(join(folder, 'migrations', '0002.sql'), '');
    hashes.push(await hash());

    expect(new Set(hashes).size).toBe(4);
  });

  it("take the Dockerfile's base image unless another is named", async () => {
    expect((await readImageContext(folder, undefined)).baseImage).toBe('node:1');
    expect((await readImageContext(folder, 'mine')).baseImage).toBe('mine');
  });

  it.each([
    [false, ''],
    [false, 'RUN sh /opt/berth/fit-addon.sh\n'],
    [true, 'RUN sh /opt/berth/fit-addon.sh\nRUN apt-get install -y git\n'],
    [true, 'RUN sh /opt/berth/fit-addon.sh && npm install -g prettier\n'],
    [true, 'run\techo fine\n'],
  ])('need the network (%s) with %j', async (needsNetwork, steps) => {
    await writeFile(join(folder, 'Dockerfile'), `ARG BASE_IMAGE=node:1\n${steps}`);
    expect((await readImageContext(folder, undefined)).needsNetwork).toBe(needsNetwork);
  });

  it('need no network as they ship', async () => {
    await copyFile(
      fileURLToPath(new URL('../../../../Dockerfile.agent', import.meta.url)),
      join(folder, 'Dockerfile'),
    );
    expect((await readImageContext(folder, undefined)).needsNetwork).toBe(false);
  });

  it('are packed so that tar unpacks the same, readable for all', async () => {
    const packed = packContext(await readImageContext(folder, undefined));
    const out = join(folder, 'out');
    await mkdir(out);
    await execa('/usr/bin/tar', ['-x', '-p', '-C', out], { input: packed });
    const { stdout } = await execa('/usr/bin/tar', ['-tv'], { input: packed });

    expect(await readFile(join(out, 'runner.cjs'), 'utf8')).toBe('x'.repeat(1_000));
    expect(await readFile(join(out, 'migrations', '0001.sql'), 'utf8')).toBe('SELECT 1;\n');
    expect(stdout.split('\n').every((line) => line.startsWith('-rw-r--r--'))).toBe(true);
  });

  it('are missed with what to do', async () => {
    await expect(readImageContext(join(folder, 'none'), undefined)).rejects.toMatchObject({
      code: 'image_failed',
      next: 'Make it with npm run build.',
    });
  });
});
