/**
 * Says what an agent's container may do and touch, as complete data. Pure, and in no engine's words: a runtime translates
 * each field, and compares each with what it got. A new field does not compile until both are written.
 */
import { containerWorkspace, type Workspace } from '../../../shared/protocol/workspace.js';
import type { ContainerConfig } from '../../store/container-config.js';

export interface Posture {
  /** `uid:gid` of all that runs in it; never 0. */
  readonly user: string;
  /** Names as in capabilities(7), without CAP_. */
  readonly capabilities: readonly string[];
  /** Whether a program in it may gain rights that its caller has not: setuid bits, file capabilities. */
  readonly gainsPrivileges: false;
  /** The engine's own profiles, in force. AppArmor counts where the kernel has it. */
  readonly seccomp: 'default';
  readonly appArmor: 'default';
  readonly readOnlyRoot: true;
  readonly tmpfs: readonly TmpfsMount[];
  readonly ulimits: readonly Ulimit[];
  /** Whose control groups, processes, host name and shared memory it sees: its own. */
  readonly namespaces: 'own';
  /** Added to the score by which the kernel chooses what to kill when memory runs out: -1000 to 1000. */
  readonly oomScoreAdj: number;
  readonly limits: ResourceLimits;
  readonly network: 'none' | 'bridge';
  readonly mounts: readonly FolderMount[];
  /** Devices, unmasked parts of /proc, or all of it at once ("privileged"). */
  readonly machineAccess: 'none';
}

export interface TmpfsMount {
  readonly path: string;
  readonly sizeMb: number;
  /** As in chmod(1). */
  readonly mode: string;
  /** As in mount(8). */
  readonly options: readonly string[];
}

export interface Ulimit {
  /** As in getrlimit(2), without RLIMIT_, in small letters. */
  readonly name: 'core' | 'nofile';
  readonly soft: number;
  readonly hard: number;
}

/** Swap comes out of the same memory limit: there is none beside it. */
export interface ResourceLimits {
  readonly memoryMb: number;
  readonly cpus: number;
  /** Processes and threads. */
  readonly pids: number;
}

/** A folder of the host. */
export interface FolderMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** The same for all containers. */
export const commonPosture = {
  capabilities: [],
  gainsPrivileges: false,
  seccomp: 'default',
  appArmor: 'default',
  readOnlyRoot: true,
  tmpfs: [{ path: '/tmp', sizeMb: 64, mode: '1777', options: ['noexec', 'nosuid', 'nodev'] }],
  ulimits: [
    // A core dump has what was in memory, goes where the host's kernel wants it, and is as large as the memory.
    { name: 'core', soft: 0, hard: 0 },
    /**
     * The limits that a login on Linux had for decades, so that programs get along with them. Soft: select(2) can take
     * no descriptor above 1023, and programs that close all that they may have open (Python 2, rpm, cups) take minutes
     * with the million that engines allow. Hard: Node raises its own limit to it at its start and hands that on, and a
     * runner has some 30 files open, git a few dozen for its packs, npm a hundred and waits at EMFILE. 256 processes
     * (pidsLimit) with 4096 each stay below the file table of a machine with 12 GiB (a tenth of its memory in KiB,
     * where nobody raised it), which a container could otherwise use up for the host.
     */
    { name: 'nofile', soft: 1_024, hard: 4_096 },
  ],
  namespaces: 'own',
  // When the machine runs out of memory, an agent goes before the daemon and the engine (-500 by default).
  oomScoreAdj: 500,
  machineAccess: 'none',
} as const satisfies Partial<Posture>;

export interface PostureFacts {
  /** `uid:gid`. */
  readonly user: string;
  readonly workspace: Workspace;
  readonly config: Pick<ContainerConfig, 'network' | 'memoryMb' | 'cpus' | 'pidsLimit'>;
}

export function postureFor({ user, workspace, config }: PostureFacts): Posture {
  const { network, memoryMb, cpus, pidsLimit } = config;
  return {
    ...commonPosture,
    user,
    limits: { memoryMb, cpus, pids: pidsLimit },
    network,
    mounts: (['inDir', 'outDir', 'agentDir', 'homeDir'] as const).map((name) => ({
      source: workspace[name],
      target: containerWorkspace[name],
      readOnly: name === 'inDir',
    })),
  };
}
