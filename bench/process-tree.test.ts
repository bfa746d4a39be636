import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daemonTree, processTree, treeCpuMs } from './process-tree.js';

describe('a process and its children', () => {
  let folder: string;
  const started: ChildProcess[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-tree-'));
  });
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts a script; resolves with its pid and what it says first. */
  async function start(script: string): Promise<{ pid: number; said: string }> {
    const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    started.push(child);
    const said = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data: Buffer) => {
        resolve(data.toString());
      }),
    );
    return { pid: child.pid ?? 0, said };
  }

  const waitForEnd = "process.stdin.resume().on('end', () => process.exit());";

  it('are found; agents are told from the others', async () => {
    writeFileSync(join(folder, 'runner.cjs'), waitForEnd);
    writeFileSync(join(folder, 'reader.cjs'), waitForEnd);
    const { pid, said } = await start(`
      const { spawn } = require('child_process');
      const pids = ['runner', 'reader'].map((name) =>
        spawn(process.execPath, [${JSON.stringify(folder)} + '/' + name + '.cjs'], { stdio: ['pipe', 'ignore', 'ignore'] }).pid);
      console.log(JSON.stringify(pids)); ${waitForEnd}`);
    const [runner = 0, reader = 0] = JSON.parse(said) as number[];
    await expect.poll(() => daemonTree(pid)).toEqual([pid, reader]);
    expect([...processTree(pid)].sort()).toEqual([pid, runner, reader].sort());
  });

  it('cost what they and their ended children have used', async () => {
    const spin =
      'const end = process.cpuUsage().user + 200000; while (process.cpuUsage().user < end);';
    const { pid } = await start(`
      require('child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(spin)}]);
      ${spin} console.log('spun'); ${waitForEnd}`);
    expect(treeCpuMs(pid)).toBeGreaterThan(390);
    expect(treeCpuMs(pid)).toBeLessThan(5_000);
  });
});
