import type { Workspace } from '../../../shared/protocol/workspace.js';
import type { ContainerConfig } from '../../store/container-config.js';
import type { Session } from '../../store/sessions.js';
import { containerName, type ContainerSpec } from './container-runtime.js';
import { postureFor } from './posture.js';

export interface SpecFacts {
  readonly installId: string;
  readonly session: Session;
  readonly workspace: Workspace;
  readonly config: ContainerConfig;
  readonly provider: string;
  /** `uid:gid`. */
  readonly user: string;
  readonly logPath: string;
  /** As formatFingerprint has it. */
  readonly fingerprint: string;
}

/** Says what a session's container is made of. */
export function containerSpecFor(facts: SpecFacts): ContainerSpec {
  const { installId, session } = facts;
  const owner = { installId, sessionId: session.id, agentGroupId: session.agentGroupId };
  return {
    name: containerName(owner),
    owner,
    workspace: facts.workspace,
    provider: facts.provider,
    env: {},
    posture: postureFor(facts),
    logPath: facts.logPath,
    fingerprint: facts.fingerprint,
  };
}
