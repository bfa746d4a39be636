/** The runner as a process of its own, bundled as it runs in a container. */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chatRow, FakeHost } from '../test/fakes/fake-host.js';
import { bundleRunner } from '../test/fakes/runner-bundle.js';
import { settlementOf } from '../test/fakes/settle-rows.js';
import { runnerConfigPath, workspaceVariables } from '../shared/protocol/workspace.js';
import { until } from '../test/fakes/waiting.js';

describe('the runner process', () => {
  let bundleDir: string;
  let host: FakeHost;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    bundleDir = mkdtempSync(join(tmpdir(), 'berth-bundle-'));
    await bundleRunner({
      container: 'container',
      provider: 'echo',
      outfile: join(bundleDir, 'runner-echo.cjs'),
      alias: { bindings: resolve('scripts/bundled-addon.cjs') },
    });
    const sqlite = dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json'));
    const addon = 'better_sqlite3.node';
    cpSync(join(sqlite, 'build', 'Release', addon), join(bundleDir, addon));
    cpSync('migrations/outbound', join(bundleDir, 'migrations', 'outbound'), { recursive: true });
  });

  afterAll(() => {
    rmSync(bundleDir, { recursive: true, force: true });
  });

  beforeEach(async () => {
    host = new FakeHost();
    await host.create();
    writeConfig({});
  });

  afterEach(async () => {
    await Promise.all(
      children.splice(0).map((child) => {
        const exited = exitOf(child);
        child.kill('SIGKILL');
        return exited;
      }),
    );
    host.remove();
  });

  function writeConfig(more: Record<string, unknown>): void {
    const agentGroup = { id: 'ag-1', name: 'Test' };
    const provider = { name: 'echo', options: {} };
    const config = { protocol: 2, sessionId: 's-1', agentGroup, provider, ...more };
    writeFileSync(runnerConfigPath(host.workspace.inDir), JSON.stringify(config));
  }

  interface Started {
    readonly child: ChildProcess;
    readonly output: () => string;
  }

  function start(stdout: 'pipe' | number = 'pipe'): Started {
    const { workspace } = host;
    const env = {
      [workspaceVariables.inDir]: workspace.inDir,
      [workspaceVariables.outDir]: workspace.outDir,
      [workspaceVariables.agentDir]: workspace.agentDir,
      [workspaceVariables.homeDir]: workspace.homeDir,
    };
    const child = spawn(process.execPath, [join(bundleDir, 'runner-echo.cjs')], {
      env,
      stdio: ['ignore', stdout, 'pipe'],
    });
    children.push(child);
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return { child, output: () => output };
  }

  /** The exit code, or the signal that ended it. */
  function exitOf(child: ChildProcess): Promise<number | string | null> {
    if (child.exitCode !== null || child.signalCode !== null) {
      return Promise.resolve(child.exitCode ?? child.signalCode);
    }
    return new Promise((done) => {
      child.once('close', (code, signal) => {
        done(code ?? signal);
      });
    });
  }

  async function expectStatus(id: string, status: string | undefined): Promise<void> {
    await until(async () => {
      expect(await host.findStatus(id)).toBe(status);
    });
  }

  it('answers, and leaves with 0 on SIGTERM', async () => {
    await host.post(chatRow('m-1', 'one'));
    const { child } = start();
    await expectStatus('m-1', 'completed');
    await host.post(chatRow('m-2', 'two'));
    await expectStatus('m-2', 'completed');
    child.kill('SIGTERM');
    expect(await exitOf(child)).toBe(0);
    expect(await host.listTexts()).toEqual(['echo: one', 'echo: two']);
  });

  it.each([
    ['of an earlier daemon', { protocol: 1, provider: 'echo' }, 'echo: hi'],
    [
      'of a later daemon',
      { protocol: 99, provider: { name: 'echo', options: {}, mood: 'sunny' }, weather: 'fine' },
      'echo: hi',
    ],
    ['with options', { provider: { name: 'echo', options: { prefix: 'said ' } } }, 'said hi'],
  ])('goes on with the settings %s', async (_title, settings, answer) => {
    writeConfig(settings);
    await host.post(chatRow('m-1', 'hi'));
    start();
    await expectStatus('m-1', 'completed');
    expect(await host.listTexts()).toEqual([answer]);
  });

  it('keeps what its provider notes, however it ends, and nothing of a turn that does not count', async () => {
    await host.post(chatRow('m-1', '!remember color blue'));
    const first = start();
    await expectStatus('m-1', 'completed');
    await host.post(chatRow('m-2', '!remember color red'), chatRow('m-3', '!hang'));
    await expectStatus('m-3', 'processing');
    first.child.kill('SIGKILL');
    await exitOf(first.child);
    await host.write((inbound) => {
      const open = inbound.listOpen().filter(({ id }) => id !== 'm-1');
      inbound.settle(
        settlementOf(open, [
          { id: 'm-3', status: 'failed' },
          { id: 'm-2', status: 'failed' },
        ]),
      );
    });
    await host.post(chatRow('m-4', '!recall color'), chatRow('m-5', '!forget color'));
    await host.post(chatRow('m-6', '!recall color'));
    start();
    await expectStatus('m-6', 'completed');
    expect(await host.listTexts()).toEqual([
      'echo: blue',
      'echo: blue',
      'echo: color',
      'I remember nothing of color.',
    ]);
  });

  it.skipIf(!existsSync('/dev/full'))('goes on when its log cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    start(full);
    closeSync(full);
    for (const id of ['m-1', 'm-2']) {
      await host.post(chatRow(id, id));
      await expectStatus(id, 'completed');
    }
  });

  it('leaves a hanging turn with 0, and gives its message back', async () => {
    await host.post(chatRow('m-1', '!hang'));
    const { child } = start();
    await expectStatus('m-1', 'processing');
    child.kill('SIGTERM');
    expect(await exitOf(child)).toBe(0);
    expect(await host.findStatus('m-1')).toBeUndefined();
  });

  it('leaves at once on a second signal', async () => {
    await host.post(chatRow('m-1', '!hang'));
    const { child, output } = start();
    await expectStatus('m-1', 'processing');
    child.kill('SIGTERM');
    await until(() => {
      expect(output()).toContain('runner leaving');
    });
    child.kill('SIGTERM');
    expect(await exitOf(child)).toBe(1);
    expect(await host.findStatus('m-1')).toBe('processing');
  });

  it('answers once after it was killed in the middle of a sleep', async () => {
    await host.post(chatRow('m-1', '!sleep 300 one'), chatRow('m-2', 'two'));
    const first = start();
    await expectStatus('m-1', 'processing');
    first.child.kill('SIGKILL');
    expect(await exitOf(first.child)).toBe('SIGKILL');
    start();
    await expectStatus('m-2', 'completed');
    expect(await host.listTexts()).toEqual(['echo: one', 'echo: two']);
  });

  it('neither loses nor doubles a message that shares its turn with an exit', async () => {
    await host.post(chatRow('m-1', 'one'), chatRow('m-2', '!exit 7'), chatRow('m-3', 'three'));
    expect(await exitOf(start().child)).toBe(7);
    expect(await host.listTexts()).toEqual([]);
    // The daemon does this for a container that ended with claims.
    for (const id of ['m-1', 'm-2', 'm-3']) await host.retry(id);
    expect(await exitOf(start().child)).toBe(7);
    expect(await host.listTexts()).toEqual(['echo: one']);
    await host.write((inbound) => {
      inbound.settle(settlementOf(inbound.listOpen(), [{ id: 'm-2', status: 'failed' }]));
    });
    start();
    await expectStatus('m-3', 'completed');
    expect(await host.listTexts()).toEqual(['echo: one', 'echo: three']);
  });

  it.each([
    [
      'without its settings',
      () => {
        rmSync(runnerConfigPath(host.workspace.inDir));
      },
    ],
    [
      'with settings that do not fit',
      () => {
        writeConfig({ batchSize: 0 });
      },
    ],
    [
      'without its provider',
      () => {
        writeConfig({ provider: { name: 'oracle' } });
      },
    ],
    [
      'with an option that its provider does not take',
      () => {
        writeConfig({ provider: { name: 'echo', options: { volume: 11 } } });
      },
    ],
    [
      'without a place for outbound.db',
      () => {
        rmSync(host.workspace.outDir, { recursive: true });
      },
    ],
  ])('exits with 1 and one line when it is started %s', async (_title, spoil) => {
    spoil();
    const { child, output } = start();
    expect(await exitOf(child)).toBe(1);
    const lines = output().trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'error', msg: 'runner failed to start' });
  });
});
