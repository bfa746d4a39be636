import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../../shared/base/clock.js';
import { silentLogger } from '../../../../shared/base/logger.js';
import { runtimeContract } from '../../../../test/contracts/runtime-contract.js';
import { makeWorkspace, specFor } from '../../../../test/fakes/container-specs.js';
import type { ContainerSpec } from '../../spec/container-runtime.js';
import { findProcessStart } from './process-identity.js';
import { ProcessRuntime } from './process-runtime.js';
import { until } from '../../../../test/fakes/waiting.js';

const tests = new URL('../../../../test/', import.meta.url);
const runnerPath = fileURLToPath(new URL('fakes/stand-in-runner.cjs', tests));
const doomedDaemon = fileURLToPath(new URL('faults/doomed-daemon.ts', tests));

function makeRuntime(installId: string, stateDir: string, maxBytes = 1_000_000): ProcessRuntime {
  return new ProcessRuntime({
    runners: { echo: runnerPath },
    stateDir,
    installId,
    path: '/usr/bin:/bin',
    logLimits: { maxBytes, keep: 2 },
    pollIntervalMs: 50,
    clock: systemClock,
    log: silentLogger,
  });
}

runtimeContract('process', makeRuntime);

describe('the process runtime', () => {
  let folder: string;
  let runtime: ProcessRuntime;

  async function spec(sessionId: string, plan: string): Promise<ContainerSpec> {
    const workspace = await makeWorkspace(join(folder, sessionId));
    return specFor({ installId: 'here', sessionId, workspace, env: { TEST_PLAN: plan } });
  }

  async function recordOf(containerId: string): Promise<{ path: string; pid: number }> {
    const path = join(folder, 'state', `${containerId}.json`);
    const record = JSON.parse(await readFile(path, 'utf8')) as { pid: number };
    return { path, pid: record.pid };
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-process-'));
    runtime = makeRuntime('here', join(folder, 'state'));
  });

  afterEach(async () => {
    for (const { containerId } of await runtime.list()) await runtime.remove(containerId);
    await runtime.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('says that it isolates nothing', () => {
    expect(runtime.isolates).toBe(false);
  });

  it('finds a process whose daemon was killed, and learns of its end', async () => {
    const wanted = await spec('s-1', 'wait');
    const daemon = execa(
      process.execPath,
      ['--import', 'tsx', doomedDaemon, join(folder, 'state'), runnerPath],
      { input: JSON.stringify(wanted), reject: false },
    );
    await daemon;

    const [adopted] = await runtime.list();
    const onExit = vi.fn();
    runtime.watchExits(onExit);

    expect(adopted).toMatchObject({ state: 'running', owner: wanted.owner });
    const { pid } = await recordOf(adopted!.containerId);
    process.kill(pid, 'SIGKILL');
    await until(() => {
      expect(onExit).toHaveBeenCalledWith({
        containerId: adopted!.containerId,
        sessionId: 's-1',
      });
    });
    expect(await runtime.list()).toMatchObject([{ state: 'exited', exitCode: null }]);
  });

  it('does not take another process under the same pid for its own', async () => {
    const containerId = await runtime.start(await spec('s-1', 'wait'));
    const { path, pid } = await recordOf(containerId);
    const record = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...record, processStart: '1' }));

    const next = makeRuntime('here', join(folder, 'state'));
    expect(await next.list()).toMatchObject([{ state: 'exited' }]);
    await next.stop(containerId, 0);
    await next.close();

    expect(await findProcessStart(pid)).toBeDefined();
  });

  it('ends the whole family of a process', async () => {
    const wanted = await spec('s-1', 'family');
    const containerId = await runtime.start(wanted);
    const childPid = await until(async () => {
      const text = await readFile(join(wanted.workspace.outDir, 'report.json'), 'utf8');
      return (JSON.parse(text) as { childPid: number }).childPid;
    });

    await runtime.stop(containerId, 5_000);

    await until(async () => {
      expect(await findProcessStart(childPid)).toBeUndefined();
    });
  });

  it('keeps the log of a running process small', async () => {
    await runtime.close();
    runtime = makeRuntime('here', join(folder, 'state'), 500);
    runtime.watchExits(() => undefined);
    const wanted = await spec('s-1', 'count');
    await runtime.start(wanted);

    await until(async () => {
      const logs = (await readdir(join(folder, 's-1'))).filter((name) => name.startsWith('con'));
      expect(logs.sort()).toEqual(['container.log', 'container.log.1', 'container.log.2']);
    });
    const whole = await readFile(`${wanted.logPath}.1`, 'utf8');
    expect(whole).toMatch(/^count \d+$/m);
  });

  it('passes over a record that it cannot read', async () => {
    const containerId = await runtime.start(await spec('s-1', 'wait'));
    await writeFile(join(folder, 'state', 'broken.json'), '{');

    expect((await runtime.list()).map((one) => one.containerId)).toEqual([containerId]);
  });
});
