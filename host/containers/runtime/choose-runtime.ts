import { toBerthError } from '../../../shared/base/errors.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { ContainerRuntime } from './container-runtime.js';

export interface RuntimeCandidates {
  readonly docker: ContainerRuntime;
  readonly process: ContainerRuntime;
}

export interface RuntimeDecision {
  readonly runtime: ContainerRuntime;
  /** Why it is not the better one; null where there is nothing to say. */
  readonly remark: string | null;
}

/**
 * `auto`: containers where an engine answers and the agent image can be had; else plain processes, said aloud. What
 * runs tools is refused there, so that falling back is safe. A choice by name is kept, whatever its state.
 */
export async function chooseRuntime(
  choice: 'auto' | 'docker' | 'process',
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
    log.warn({ err: problem }, 'no containers to be had, agents run as plain processes');
    return { runtime: candidates.process, remark: `${unisolated} (${problem.message})` };
  }
}
