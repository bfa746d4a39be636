/** Where the agents of a fault test run: in containers wherever an engine answers. */
import { execa } from 'execa';
import { inject } from 'vitest';
import { DoomedHome } from './doomed-home.js';

export type FaultRuntime = 'docker' | 'process';

const docker = inject('docker');

/** Without an engine, plain processes: global-setup.ts says so aloud. */
export const mainRuntime: FaultRuntime = docker.available ? 'docker' : 'process';

export function homeWith(
  runtime: FaultRuntime,
  env: Readonly<Record<string, string>> = {},
): DoomedHome {
  const baseImage = docker.available ? docker.baseImage : undefined;
  const isChosen = runtime === 'docker' && baseImage !== undefined;
  return new DoomedHome(runtime, isChosen ? { ...env, BERTH_BASE_IMAGE: baseImage } : env);
}

/** The container that answers a chat. */
export async function containerOf(home: DoomedHome, chat: string): Promise<string> {
  const label = `label=berth.session=${home.sessionOf(chat)}`;
  const { stdout } = await execa('docker', ['ps', '--quiet', '--no-trunc', '--filter', label]);
  return stdout.trim();
}

/** A chat's runner, as this machine sees it, and outbound.db, as the runner sees it. */
export async function runnerOf(
  home: DoomedHome,
  runtime: FaultRuntime,
  chat: string,
): Promise<{ readonly pid: number; readonly outboundPath: string }> {
  if (runtime === 'process') {
    const folder = home.sessionDir(home.sessionOf(chat));
    return { pid: home.runnerOf(chat), outboundPath: `${folder}/out/outbound.db` };
  }
  const container = await containerOf(home, chat);
  const { stdout } = await execa('docker', ['top', container, '-o', 'pid,comm']);
  const pid = Number(/(\d+)\s+node/.exec(stdout)?.[1]);
  return { pid, outboundPath: '/workspace/out/outbound.db' };
}
