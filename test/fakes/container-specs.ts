import { chown, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContainerSpec } from '../../host/containers/spec/container-runtime.js';
import { postureFor } from '../../host/containers/spec/posture.js';
import type { Workspace } from '../../shared/protocol/workspace.js';

/** `uid:gid` that containers of tests run as: ours, unless we are root. */
export function unprivilegedUser(): string {
  const uid = process.getuid?.() ?? 0;
  return uid === 0 ? '1000:1000' : `${uid}:${process.getgid?.() ?? uid}`;
}

/** A session's four folders below `folder`, writable for the unprivileged user. */
export async function makeWorkspace(folder: string): Promise<Workspace> {
  const workspace: Workspace = {
    inDir: join(folder, 'in'),
    outDir: join(folder, 'out'),
    agentDir: join(folder, 'agent'),
    homeDir: join(folder, 'home'),
  };
  const [uid = 0, gid = 0] = unprivilegedUser().split(':').map(Number);
  for (const path of Object.values(workspace) as string[]) {
    await mkdir(path, { recursive: true });
    await chown(path, uid, gid);
  }
  return workspace;
}

export interface SpecWishes {
  readonly installId: string;
  readonly sessionId: string;
  readonly workspace: Workspace;
  readonly env: Readonly<Record<string, string>>;
}

/** A small container on no network; its log lies beside its workspace. */
export function specFor({ installId, sessionId, workspace, env }: SpecWishes): ContainerSpec {
  return {
    name: `berth-${installId}-${sessionId}`,
    owner: { installId, sessionId, agentGroupId: 'ag-test' },
    workspace,
    provider: 'echo',
    env,
    posture: postureFor({
      user: unprivilegedUser(),
      workspace,
      config: { network: 'none', memoryMb: 256, cpus: 1, pidsLimit: 64 },
    }),
    logPath: join(dirname(workspace.inDir), 'container.log'),
    fingerprint: `v1 in=${sessionId}`,
  };
}
