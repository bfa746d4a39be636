import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { AgentImage } from '../../host/containers/runtime/docker/agent-image.js';
import type { DockerEngine } from '../../host/containers/runtime/docker/docker-engine.js';
import {
  makeStandInContext,
  removeContext,
  testEngine,
  testImage,
} from '../fakes/docker-runtimes.js';

const docker = inject('docker');

describe.skipIf(!docker.available)('the agent image', () => {
  const baseImage = docker.available ? docker.baseImage : undefined;
  let context: string;
  let engine: DockerEngine;
  const built = new Set<string>();

  async function build(image: AgentImage): Promise<readonly string[]> {
    const lines: string[] = [];
    built.add(await image.ensure((line) => lines.push(line)));
    return lines;
  }

  beforeEach(async () => {
    engine = testEngine();
    context = await makeStandInContext();
    // Its own content, so that every test begins without the image.
    await appendFile(join(context, 'runner-echo.cjs'), `// ${context}\n`);
  });

  afterEach(async () => {
    for (const tag of built) await new Docker().getImage(tag).remove();
    built.clear();
    engine.close();
    await removeContext(context);
  });

  it('is built once, with its progress told, also when many ask at once', async () => {
    const image = testImage(engine, context, baseImage);

    const [first, second] = await Promise.all([build(image), build(image)]);
    const third = await build(image);

    expect(first.join('\n')).toMatch(/step 1\//i);
    expect(second).toEqual(first);
    expect(third).toEqual([]);
    expect(built.size).toBe(1);
    expect([...built][0]).toMatch(/^berth-agent:[0-9a-f]{12}$/);
  });

  it('is another one when an input changed', async () => {
    await build(testImage(engine, context, baseImage));
    await appendFile(join(context, 'runner-echo.cjs'), '// changed\n');
    await build(testImage(engine, context, baseImage));

    expect(built.size).toBe(2);
  });

  it('names the base image that is not to be had, and what to do', async () => {
    const image = testImage(engine, context, 'localhost:1/no-such-base:1');

    await expect(image.ensure(() => undefined)).rejects.toMatchObject({
      code: 'image_failed',
      message: expect.stringContaining('localhost:1/no-such-base:1') as string,
      next: expect.stringMatching(
        /--base-image NAME or BERTH_BASE_IMAGE.*scripts\/make-base-image/,
      ) as string,
    });
  });

  it('is built without the network, so that no broken bridge stops it', async () => {
    const script = await readFile(join(context, 'fit-addon.sh'), 'utf8');
    const tell = 'echo "interfaces: $(ls /sys/class/net | tr "\\n" " ")"';
    await writeFile(
      join(context, 'fit-addon.sh'),
      script.replace('set -eu\n', `set -eu\n${tell}\n`),
    );

    const lines = await build(testImage(engine, context, baseImage));

    expect(lines).toContain('interfaces: lo');
  });

  it('is built anew with the network where its addon has to be fetched', async () => {
    const script = [
      'if [ "$NETWORK" = none ]; then echo "This build needs the network."; exit 1; fi',
      'echo "interfaces: $(ls /sys/class/net | tr "\\n" " ")"',
    ];
    await writeFile(join(context, 'fit-addon.sh'), `${script.join('\n')}\n`);

    const lines = await build(testImage(engine, context, baseImage));

    expect(lines.join('\n')).toMatch(/needs the network[^]*interfaces: .*eth0/);
  });

  it('says that its addon has to be fetched before it tries that without the network', async () => {
    await writeFile(join(context, 'better_sqlite3.node'), 'no addon');
    const script = join(context, 'fit-addon.sh');
    const { exitCode, stdout } = await execa('sh', [script], {
      env: { NETWORK: 'none' },
      reject: false,
    });
    expect(exitCode).toBe(1);
    expect(stdout).toContain('This build needs the network.');
  });

  it('has the network for steps of its own', async () => {
    await appendFile(
      join(context, 'Dockerfile'),
      'USER root\nRUN ls /sys/class/net | tr "\\n" " "\n',
    );

    const lines = await build(testImage(engine, context, baseImage));

    expect(lines.join('\n')).toMatch(/eth0/);
  });

  it('tells the last lines of the step that failed', async () => {
    const dockerfile = await readFile(join(context, 'Dockerfile'), 'utf8');
    await writeFile(
      join(context, 'Dockerfile'),
      `${dockerfile}\nRUN echo fine\nRUN echo no luck today; exit 5\n`,
    );
    const image = testImage(engine, context, baseImage);

    const failure = image.ensure(() => undefined);

    await expect(failure).rejects.toMatchObject({
      code: 'image_failed',
      message: expect.stringMatching(/no luck today/) as string,
      next: expect.stringContaining('berth image build') as string,
    });
    await expect(failure).rejects.not.toMatchObject({
      message: expect.stringContaining('echo fine') as string,
    });
  });

  it('does not start a build without a context', async () => {
    const image = testImage(engine, join(context, 'nothing-here'), baseImage);

    await expect(image.ensure(() => undefined)).rejects.toMatchObject({ code: 'image_failed' });
  });
});
