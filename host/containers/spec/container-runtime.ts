/**
 * The contract between the reconciler and what runs containers. Our own types only. For implementers:
 * - Every call ends: it answers or throws engine_unreachable, engine_failed or engine_timeout.
 * - `start` returns when the container runs; what it began and could not finish it takes away again. Where it isolates,
 *   it starts nothing that differs from the posture, as far as the engine tells: that throws posture_differs.
 *   A name belongs to one container: starting it while it runs or is being started throws engine_failed;
 *   what an earlier daemon left under it and does not run gives way.
 * - `list` sees only containers that carry this install's label, running or not, also from before this daemon,
 *   but none whose `start` has not returned yet.
 * - `stop` and `remove` are idempotent: what is gone already is no error.
 */
import type { BerthError } from '../../../shared/base/errors.js';
import type { RuntimeName } from '../../../shared/protocol/runtime-names.js';
import type { Workspace } from '../../../shared/protocol/workspace.js';
import type { Posture } from './posture.js';

/** Says whom a container belongs to: labels berth.install, berth.session and berth.agent-group. */
export interface ContainerOwner {
  readonly installId: string;
  readonly sessionId: string;
  readonly agentGroupId: string;
}

/** By it, an engine refuses a second container for a session; and what is called otherwise is somebody else's. */
export function containerName({ installId, sessionId }: ContainerOwner): string {
  return `berth-${installId}-${sessionId}`;
}

/** The bundle that holds this provider, and none of the others. */
export function runnerFileOf(provider: string): string {
  return `runner-${provider}.cjs`;
}

export interface ContainerSpec {
  readonly name: string;
  readonly owner: ContainerOwner;
  /** The session's own folders on the host. */
  readonly workspace: Workspace;
  /** Its runner is the bundle of this provider. */
  readonly provider: string;
  readonly env: Readonly<Record<string, string>>;
  /** A runtime that isolates nothing keeps none of it. */
  readonly posture: Posture;
  /** The file on the host that the container's output is appended to. */
  readonly logPath: string;
  /** The facts that it is started with, as fingerprint.ts formats them: `list` tells it again. */
  readonly fingerprint: string;
}

export interface ObservedContainer {
  readonly containerId: string;
  readonly owner: ContainerOwner;
  readonly state: 'running' | 'exited';
  /** When it was told to start, in epoch milliseconds; 0 when it never ran. */
  readonly startedAtMs: number;
  /** 128 + the signal's number after a signal. Null while it runs, or when nobody knows. */
  readonly exitCode: number | null;
  /** As in the spec that it was started from; null where it carries none. */
  readonly fingerprint: string | null;
}

export interface ContainerExit {
  readonly containerId: string;
  readonly sessionId: string;
}

/** The word of the machine's kernel about a running container. */
export type PostureVerdict =
  | { readonly kind: 'kept' }
  | { readonly kind: 'differs'; readonly error: BerthError }
  /** Its processes cannot be seen from here. `why`: a clause for a person. */
  | { readonly kind: 'unseen'; readonly why: string }
  | { readonly kind: 'gone' };

export interface ContainerRuntime {
  readonly name: RuntimeName;
  /** False: containers are plain processes, and nothing keeps them from the host. */
  readonly isolates: boolean;
  /** Makes ready what starting needs (the agent image); says what it does through `onProgress`. */
  prepare(onProgress: (line: string) => void): Promise<void>;
  list(): Promise<readonly ObservedContainer[]>;
  /** Names what containers are started from, equal for equal contents; asks no engine. Throws image_failed. */
  imageName(): Promise<string>;
  /** Whether that is there to be started from. */
  hasImage(): Promise<boolean>;
  /** Returns the container's id. */
  start(spec: ContainerSpec): Promise<string>;
  /**
   * Compares a running container with what was asked for, and changes nothing. `posture`: undefined where another daemon
   * has started it. Missing: the runtime isolates nothing.
   */
  verify?(containerId: string, posture: Posture | undefined): Promise<PostureVerdict>;
  /** TERM, then KILL after the grace. Resolves when it does not run any more. */
  stop(containerId: string, graceMs: number): Promise<void>;
  /**
   * Takes it away with everything it left in the runtime; kills it first when it still runs. The lines that it printed
   * are in its log before, if that was followed.
   */
  remove(containerId: string): Promise<void>;
  /** Goes on writing the output of a container that this daemon did not start, running or not, after the last line it finds. */
  followLog(container: ObservedContainer, logPath: string): void;
  /** Resolves when what an ended container printed is in its log, or after a moment. Missing: it is there at once. */
  settleLog?(containerId: string): Promise<void>;
  /** Whether a process of this machine, by its pid as the daemon sees it, surely runs in the container. */
  hasProcess(containerId: string, pid: number): Promise<boolean>;
  /** Hints that a container ended. May come late, twice or never: `list` tells. */
  watchExits(onExit: (exit: ContainerExit) => void): void;
  /** Lets go of streams and timers; containers go on. */
  close(): Promise<void>;
}
