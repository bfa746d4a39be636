import { containerWorkspace } from '../../../../shared/protocol/workspace.js';
import {
  runnerFileOf,
  type ContainerOwner,
  type ContainerSpec,
} from '../../spec/container-runtime.js';
import type { CreateBody } from './docker-engine.js';
import { hostConfigFor } from './docker-posture.js';

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

/** Asks the engine for a container of this posture; what is not in it is how Berth runs one, and no matter of rights. */
export function createBody(spec: ContainerSpec, image: string, startedAtMs: number): CreateBody {
  return {
    Image: image,
    Cmd: [`/opt/berth/${runnerFileOf(spec.provider)}`],
    User: spec.posture.user,
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
      ...hostConfigFor(spec.posture),
      // PID 1 that passes signals on and reaps what tools leave behind.
      Init: true,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '5m', 'max-file': '2' } },
    },
  };
}
