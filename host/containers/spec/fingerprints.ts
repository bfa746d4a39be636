/** Finds out what a session's container would be started with now. A few stats; nothing is read or built. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { errnoOf } from '../../../shared/base/errors.js';
import { runnerProtocol, type RunnerConfig } from '../../../shared/protocol/runner-config.js';
import type { Workspace } from '../../../shared/protocol/workspace.js';
import type { SessionFolders } from '../../sessions/session-folder.js';
import type { AgentGroup } from '../../store/agent-groups.js';
import { readContainerConfig } from '../../store/container-config.js';
import type { Session } from '../../store/sessions.js';
import type { Fingerprint } from './fingerprint.js';
import { commonPosture } from './posture.js';
import type { ContainerRuntime } from './container-runtime.js';

export interface FingerprintsDeps {
  readonly runtime: ContainerRuntime;
  readonly folders: SessionFolders;
  /** `uid:gid`. */
  readonly user: string;
  readonly defaultProvider: string;
  readonly pollIntervalMs: number;
}

export class Fingerprints {
  readonly #deps: FingerprintsDeps;

  constructor(deps: FingerprintsDeps) {
    this.#deps = deps;
  }

  /** Throws invalid_input where the agent group's folder has no proper name. */
  async of(session: Session, group: AgentGroup): Promise<Fingerprint> {
    const { runtime, folders, user } = this.#deps;
    const workspace = folders.workspaceOf(session.id, group.folder);
    const { network, memoryMb, cpus, pidsLimit } = readContainerConfig(group.containerConfig);
    const { provider, ...runner } = this.runnerConfigOf(session, group);
    return {
      // Mounts follow their folders where these are moved; paths do not.
      paths: runtime.isolates ? undefined : digest(Object.values(workspace)),
      in: identityOf(workspace.inDir),
      out: identityOf(workspace.outDir),
      home: identityOf(workspace.homeDir),
      agent: identityOf(workspace.agentDir),
      image: await this.#imageName(),
      provider: encodeURIComponent(provider.name),
      limits: [network, memoryMb, cpus, pidsLimit].join(','),
      posture: runtime.isolates ? digest(commonPosture) : undefined,
      user,
      runner: digest({ ...runner, options: provider.options }),
    };
  }

  /** The settings that the runner is told in its runner.json. */
  runnerConfigOf(session: Session, group: AgentGroup): RunnerConfig {
    return {
      protocol: runnerProtocol,
      sessionId: session.id,
      agentGroup: { id: group.id, name: group.name },
      provider: {
        name: session.provider ?? group.provider ?? this.#deps.defaultProvider,
        options: readContainerConfig(group.containerConfig).providerOptions,
      },
      batchSize: 20,
      pollIntervalMs: this.#deps.pollIntervalMs,
      heartbeatIntervalMs: 1_000,
    };
  }

  /** An image that cannot be named is told of when something is to be started from it. */
  async #imageName(): Promise<string | undefined> {
    try {
      return encodeURIComponent(await this.#deps.runtime.imageName());
    } catch {
      return undefined;
    }
  }
}

/** An identity that cannot be told for another reason than that there is none is not compared: that may pass. */
function identityOf(folder: Workspace[keyof Workspace]): string | undefined {
  try {
    const { dev, ino } = statSync(folder, { bigint: true });
    return `${dev.toString(16)}:${ino.toString(16)}`;
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '') ? 'none' : undefined;
  }
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12);
}
