import { containerWorkspace, type Workspace } from '../../../shared/protocol/workspace.js';
import { runnerFileOf, type ContainerOwner, type ContainerSpec } from './container-runtime.js';
import type { CreateBody } from './docker-engine.js';

/** The labels that say whose a container is, when it was told to start, and with what. */
export const labelNames = {
  install: 'berth.install',
  session: 'berth.session',
  agentGroup: 'berth.agent-group',
  startedAt: 'berth.started-at',
  fingerprint: 'berth.fingerprint',
} as const;

export function installLabel(installId: string): string {
  return `${labelNames.install}=${installId}`;
}

/** Undefined when a container carries no full set of our labels. */
export function parseOwner(labels: Readonly<Record<string, string>>): ContainerOwner | undefined {
  const installId = labels[labelNames.install];
  const sessionId = labels[labelNames.session];
  const agentGroupId = labels[labelNames.agentGroup];
  if (installId === undefined || sessionId === undefined || agentGroupId === undefined) {
    return undefined;
  }
  return { installId, sessionId, agentGroupId };
}

const mebibyte = 1_048_576;
const tmpOptions = 'rw,noexec,nosuid,nodev,size=64m,mode=1777';

/** Asks the engine for a container that can touch its own four folders, and nothing else. */
export function createBody(spec: ContainerSpec, image: string, startedAtMs: number): CreateBody {
  const memory = spec.memoryMb * mebibyte;
  return {
    Image: image,
    Cmd: [`/opt/berth/${runnerFileOf(spec.provider)}`],
    User: spec.user,
    Env: Object.entries({ ...spec.env, HOME: containerWorkspace.homeDir }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    Labels: {
      [labelNames.install]: spec.owner.installId,
      [labelNames.session]: spec.owner.sessionId,
      [labelNames.agentGroup]: spec.owner.agentGroupId,
      [labelNames.startedAt]: String(startedAtMs),
      [labelNames.fingerprint]: spec.fingerprint,
    },
    WorkingDir: containerWorkspace.agentDir,
    HostConfig: {
      // PID 1 that passes signals on and reaps what tools leave behind.
      Init: true,
      Mounts: mounts(spec.workspace),
      Tmpfs: { '/tmp': tmpOptions },
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      NetworkMode: spec.network,
      Memory: memory,
      MemorySwap: memory,
      NanoCpus: Math.round(spec.cpus * 1e9),
      PidsLimit: spec.pidsLimit,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '5m', 'max-file': '2' } },
    },
  };
}

/** The API has no nosuid or nodev for a bind mount; no-new-privileges and the missing capabilities stand in for them. */
function mounts(workspace: Workspace): unknown[] {
  return [
    mount(workspace.inDir, containerWorkspace.inDir, true),
    mount(workspace.outDir, containerWorkspace.outDir, false),
    mount(workspace.agentDir, containerWorkspace.agentDir, false),
    mount(workspace.homeDir, containerWorkspace.homeDir, false),
  ];
}

function mount(source: string, target: string, readOnly: boolean): unknown {
  return { Type: 'bind', Source: source, Target: target, ReadOnly: readOnly };
}
