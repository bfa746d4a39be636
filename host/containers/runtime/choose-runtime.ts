import { toBerthError } from '../../../shared/base/errors.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { ContainerRuntime } from './container-runtime.js';

export interface RuntimeCandidates {
  readonly docker: ContainerRuntime;
  readonly process: ContainerRuntime;
}

export interface RuntimeWish {
  readonly choice: 'auto' | 'docker' | 'process';
  /** The last daemon of this home ran its agents in containers. */
  readonly ranContainers: boolean;
}

export interface RuntimeDecision {
  readonly runtime: ContainerRuntime;
  /** Why it is not the better one; null where there is nothing to say. */
  readonly remark: string | null;
}

/**
 * `auto`: containers where an engine answers and the agent image can be had; else plain processes, with a word to the
 * user. A provider that runs tools is refused there, so that falling back is safe. Never where the last daemon ran
 * containers: isolation is not lost by an engine that is away, or a setting that was forgotten. A choice by name is
 * kept, whatever its state.
 */
export async function chooseRuntime(
  { choice, ranContainers }: RuntimeWish,
  candidates: RuntimeCandidates,
  onProgress: (line: string) => void,
  log: Logger,
): Promise<RuntimeDecision> {
  const unisolated = 'Agents run as plain processes of this machine: nothing isolates them.';
  if (choice === 'process') return { runtime: candidates.process, remark: unisolated };
  if (choice === 'docker') return { runtime: candidates.docker, remark: null };
  try {
    await candidates.docker.list();
    await candidates.docker.prepare(onProgress);
    return { runtime: candidates.docker, remark: null };
  } catch (error) {
    const problem = toBerthError(error);
    if (ranContainers) {
      log.error({ err: problem }, 'no containers to be had, agents wait');
      const waiting = 'Agents of this home have run in containers, and wait until they can again';
      const remark = `${waiting}: ${problem.message} To run them without, say \`--runtime process\`.`;
      return { runtime: candidates.docker, remark };
    }
    log.warn({ err: problem }, 'no containers to be had, agents run as plain processes');
    return { runtime: candidates.process, remark: `${unisolated} (${problem.message})` };
  }
}
