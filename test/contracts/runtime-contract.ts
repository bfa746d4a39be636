/**
 * States what every container runtime must do, whatever it runs things with. The program that is run is
 * test/fakes/stand-in-runner.cjs.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type {
  ContainerExit,
  ContainerRuntime,
  ContainerSpec,
  ObservedContainer,
} from '../../host/containers/spec/container-runtime.js';
import { makeWorkspace, specFor, unprivilegedUser } from '../fakes/container-specs.js';
import { until } from '../fakes/waiting.js';

/** Makes a runtime object for an install, whose own state, if it has any, lies in `stateDir`. */
export type MakeRuntime = (installId: string, stateDir: string) => ContainerRuntime;

export function runtimeContract(name: string, makeRuntime: MakeRuntime): void {
  describe(`the ${name} runtime, as every runtime,`, () => {
    let folder: string;
    let installId: string;
    let runtime: ContainerRuntime;
    const open: ContainerRuntime[] = [];

    function another(install = installId): ContainerRuntime {
      const made = makeRuntime(install, join(folder, 'state'));
      open.push(made);
      return made;
    }

    /** The spec that a container is started with; TEST_PLAN is what the program does. */
    async function spec(
      sessionId: string,
      plan: string,
      env: Record<string, string> = {},
    ): Promise<ContainerSpec> {
      const workspace = await makeWorkspace(join(folder, sessionId));
      return specFor({ installId, sessionId, workspace, env: { TEST_PLAN: plan, ...env } });
    }

    async function find(
      containerId: string,
      where = runtime,
    ): Promise<ObservedContainer | undefined> {
      return (await where.list()).find((one) => one.containerId === containerId);
    }

    async function untilLogged(path: string, text: string): Promise<void> {
      await until(async () => {
        expect(await readFile(path, 'utf8')).toContain(text);
      });
    }

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'berth-runtime-'));
      installId = `test-${folder.slice(-6).toLowerCase()}`;
      runtime = another();
    });

    afterEach(async () => {
      const last = makeRuntime(installId, join(folder, 'state'));
      for (const { containerId } of await last.list()) await last.remove(containerId);
      for (const one of [...open.splice(0), last]) await one.close();
      await rm(folder, { recursive: true, force: true });
    });

    it('lists what it started as running, with its owner', async () => {
      const before = Date.now();
      const wanted = await spec('s-1', 'wait');
      const containerId = await runtime.start(wanted);

      const observed = await runtime.list();

      expect(observed).toEqual([
        {
          containerId,
          owner: wanted.owner,
          state: 'running',
          startedAtMs: expect.any(Number) as number,
          exitCode: null,
          fingerprint: wanted.fingerprint,
        },
      ]);
      expect(observed[0]!.startedAtMs).toBeGreaterThanOrEqual(before);
      expect(observed[0]!.startedAtMs).toBeLessThanOrEqual(Date.now());
    });

    it('writes both output streams to the log file', async () => {
      const wanted = await spec('s-1', 'wait');
      await runtime.start(wanted);

      await untilLogged(wanted.logPath, 'stand-in runs wait\n');
      await untilLogged(wanted.logPath, 'and says so on stderr\n');
    });

    it('tells of an exit and lists its code', async () => {
      const exits: ContainerExit[] = [];
      runtime.watchExits((exit) => exits.push(exit));
      const containerId = await runtime.start(await spec('s-1', 'exit', { TEST_EXIT_CODE: '7' }));

      await until(async () => {
        expect(await find(containerId)).toMatchObject({ state: 'exited', exitCode: 7 });
      });
      await until(() => {
        expect(exits).toContainEqual({ containerId, sessionId: 's-1' });
      });
    });

    it('stops with TERM first, once or twice', async () => {
      const wanted = await spec('s-1', 'wait');
      const containerId = await runtime.start(wanted);
      await untilLogged(wanted.logPath, 'stand-in runs');

      await runtime.stop(containerId, 10_000);
      await runtime.stop(containerId, 10_000);

      expect(await find(containerId)).toMatchObject({ state: 'exited', exitCode: 0 });
      await untilLogged(wanted.logPath, 'got TERM');
    });

    it('kills what ignores TERM when the grace is over', async () => {
      const wanted = await spec('s-1', 'ignore-term');
      const containerId = await runtime.start(wanted);
      await untilLogged(wanted.logPath, 'stand-in runs');

      const before = performance.now();
      await runtime.stop(containerId, 1_000);
      const tookMs = performance.now() - before;

      expect(await find(containerId)).toMatchObject({ state: 'exited', exitCode: 137 });
      expect(tookMs).toBeGreaterThanOrEqual(900);
      expect(tookMs).toBeLessThan(6_000);
    });

    it('removes what ended and what runs, and what is gone already', async () => {
      const ended = await runtime.start(await spec('s-1', 'exit', { TEST_EXIT_CODE: '0' }));
      const running = await runtime.start(await spec('s-2', 'ignore-term'));
      await until(async () => {
        expect(await find(ended)).toMatchObject({ state: 'exited' });
      });

      for (const containerId of [ended, running, ended, running]) await runtime.remove(containerId);

      expect(await runtime.list()).toEqual([]);
    });

    it('has the last words of a container in its log before it removes it', async () => {
      const wanted = await spec('s-1', 'exit', { TEST_EXIT_CODE: '0' });
      const containerId = await runtime.start(wanted);
      await runtime.close();
      const next = another();
      await until(async () => {
        expect(await find(containerId, next)).toMatchObject({ state: 'exited' });
      });

      next.followLog((await next.list())[0]!, wanted.logPath);
      await next.remove(containerId);

      const log = await readFile(wanted.logPath, 'utf8');
      expect(log.split('\n').sort()).toEqual(['', 'and says so on stderr', 'stand-in runs exit']);
    });

    it('does not mind being told to stop or remove what never was', async () => {
      await runtime.stop('0123456789ab', 100);
      await runtime.remove('0123456789ab');
    });

    it('leaves containers alone when it closes, and the next one adopts them', async () => {
      const wanted = await spec('s-1', 'wait');
      const containerId = await runtime.start(wanted);
      await untilLogged(wanted.logPath, 'stand-in runs');
      const before = await runtime.list();
      await runtime.close();

      const next = another();
      const exits: ContainerExit[] = [];
      next.watchExits((exit) => exits.push(exit));

      expect(await next.list()).toEqual(before);
      await next.stop(containerId, 10_000);
      expect(await find(containerId, next)).toMatchObject({ state: 'exited' });
      await until(() => {
        expect(exits).toContainEqual({ containerId, sessionId: 's-1' });
      });
    });

    it('goes on with the log of a container that it adopted, each line once', async () => {
      const wanted = await spec('s-1', 'count');
      await runtime.start(wanted);
      await untilLogged(wanted.logPath, 'count 10\n');
      await runtime.close();

      const next = another();
      next.followLog((await next.list())[0]!, wanted.logPath);
      await untilLogged(wanted.logPath, 'count 80\n');

      const lines = (await readFile(wanted.logPath, 'utf8')).split('\n').slice(0, -1);
      const counts = lines.flatMap((line) => /^count (\d+)$/.exec(line)?.[1] ?? []).map(Number);
      expect(counts).toEqual(counts.map((_, index) => index + 1));
    });

    it('starts containers of several sessions at the same time', async () => {
      const sessions = ['s-1', 's-2', 's-3'];
      const specs = await Promise.all(sessions.map((sessionId) => spec(sessionId, 'wait')));

      const ids = await Promise.all(specs.map((one) => runtime.start(one)));

      const observed = await runtime.list();
      expect(observed.map((one) => one.containerId).sort()).toEqual([...ids].sort());
      expect(observed.map((one) => one.owner.sessionId).sort()).toEqual(sessions);
      expect(observed.every((one) => one.state === 'running')).toBe(true);
    });

    it('refuses a second container of one name, and leaves the first as it is', async () => {
      const wanted = await spec('s-1', 'wait');

      const results = await Promise.allSettled([runtime.start(wanted), runtime.start(wanted)]);
      const third = runtime.start(wanted);

      expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
      await expect(third).rejects.toMatchObject({ code: 'engine_failed' });
      expect(await runtime.list()).toMatchObject([{ state: 'running' }]);
    });

    it('lets a new container take the name of one that ended', async () => {
      const wanted = await spec('s-1', 'exit', { TEST_EXIT_CODE: '3' });
      const first = await runtime.start(wanted);
      await until(async () => {
        expect(await find(first)).toMatchObject({ state: 'exited' });
      });

      const second = await runtime.start(wanted);

      expect((await runtime.list()).map((one) => one.containerId)).toEqual([second]);
    });

    it('takes away again what it could not start', async () => {
      const wanted = await spec('s-1', 'wait');
      const unknown = { ...wanted, posture: { ...wanted.posture, user: 'nobody-knows' } };
      await rm(wanted.workspace.agentDir, { recursive: true });

      await expect(runtime.start(unknown)).rejects.toMatchObject({ code: 'engine_failed' });

      expect(await runtime.list()).toEqual([]);
    });

    it('does not see containers of another install', async () => {
      await runtime.start(await spec('s-1', 'wait'));

      expect(await another(`${installId}-other`).list()).toEqual([]);
    });

    it('gives the program its workspace and the given environment, and no more', async () => {
      const wanted = await spec('s-1', 'probe', { TEST_GIVEN: 'yes' });
      vi.stubEnv('BERTH_TEST_SECRET', 'not for agents');
      await runtime.start(wanted);

      const report = await until(async () => {
        const text = await readFile(join(wanted.workspace.outDir, 'report.json'), 'utf8');
        return JSON.parse(text) as { env: string[]; cwd: string; write: Record<string, string> };
      });

      expect(report.env).toEqual(expect.arrayContaining(['HOME', 'PATH', 'TEST_GIVEN']));
      expect(report.env).not.toContain('BERTH_TEST_SECRET');
      expect(report.write).toMatchObject({ out: 'done', agent: 'done', home: 'done' });
      expect(await readFile(join(wanted.workspace.agentDir, 'probe'), 'utf8')).toBe('');
    });

    it('keeps the program from writing where it must not, if it isolates', async () => {
      if (!runtime.isolates) return;
      const wanted = await spec('s-1', 'probe');
      await runtime.start(wanted);

      const report = await until(async () => {
        const text = await readFile(join(wanted.workspace.outDir, 'report.json'), 'utf8');
        return JSON.parse(text) as { uid: number; write: Record<string, string> };
      });

      expect(report.write).toMatchObject({ in: 'EROFS', root: 'EROFS', program: 'EROFS' });
      expect(`${report.uid}`).toBe(unprivilegedUser().split(':')[0]);
    });
  });
}
