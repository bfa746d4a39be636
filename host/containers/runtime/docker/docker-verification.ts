/** Verifies a running container by what the machine's kernel says of its first process. */
import { delay } from '../../../../shared/base/lifecycle.js';
import { commonPosture, type Posture } from '../../spec/posture.js';
import type { PostureVerdict } from '../../spec/container-runtime.js';
import type { DockerEngine } from './docker-engine.js';
import { parseInspected, type InspectedContainer } from './docker-inspect.js';
import { findProcessDifferences, readProcess, type ProcessFacts } from './container-confinement.js';
import { postureDiffers, type PostureDifference } from './posture-difference.js';

/** With these a container's processes are processes of the machine's kernel. `oci`: Podman's, whichever it is. */
const processRuntimes = /^(|runc|crun|youki|oci|io\.containerd\.runc\.v[12])$/;

/**
 * A low-level runtime sets the last of it (the filter of system calls) in the moment of the program's start, which the
 * engine does not wait for: until then it is read again, for a second at the most.
 */
const pauseMs = 5;
const maxReads = 200;

/** `posture`: undefined for a container of which nobody knows with what it was started. Throws what the engine throws. */
export async function verifyRunning(
  engine: Pick<DockerEngine, 'inspectContainer'>,
  containerId: string,
  posture: Posture | undefined,
  signal: AbortSignal,
): Promise<PostureVerdict> {
  const wanted = posture ?? { ...commonPosture, user: undefined };
  let differences: readonly PostureDifference[] = [];
  let unseen = 0;
  for (let reads = 0; reads < maxReads; reads += 1) {
    const found = await inspectRunning(engine, containerId);
    if (found === undefined || signal.aborted) return { kind: 'gone' };
    const { Runtime } = found.HostConfig;
    if (!processRuntimes.test(Runtime ?? '')) {
      return { kind: 'unseen', why: `the engine runs agents with ${Runtime ?? ''}` };
    }
    const facts = await readProcess(containerId, found.State.Pid);
    // It may just have ended: the engine is asked again.
    if (facts === undefined) {
      unseen += 1;
      if (unseen > 1) return { kind: 'unseen', why: 'the engine runs agents out of sight' };
      continue;
    }
    differences = findProcessDifferences(wanted, withoutUnaskable(facts, found));
    if (differences.length === 0) return { kind: 'kept' };
    if (!facts.isBeingMade) break;
    await delay(pauseMs, signal);
  }
  return { kind: 'differs', error: postureDiffers(differences) };
}

/** Podman does not say which control group namespace it gave, and its API cannot ask for one where cgroup v1 is in use. */
function withoutUnaskable(
  facts: ProcessFacts,
  { HostConfig: { CgroupnsMode } }: InspectedContainer,
): ProcessFacts {
  return CgroupnsMode === 'private' ? facts : { ...facts, sharesControlGroups: undefined };
}

async function inspectRunning(
  engine: Pick<DockerEngine, 'inspectContainer'>,
  containerId: string,
): Promise<InspectedContainer | undefined> {
  const answer = await engine.inspectContainer(containerId);
  if (answer === undefined) return undefined;
  const found = parseInspected(answer);
  return found.State.Running ? found : undefined;
}
