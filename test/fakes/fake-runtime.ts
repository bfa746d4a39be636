import type {
  ContainerExit,
  ContainerRuntime,
  ContainerSpec,
  ObservedContainer,
  PostureVerdict,
} from '../../host/containers/spec/container-runtime.js';
import type { Posture } from '../../host/containers/spec/posture.js';
import type { RuntimeName } from '../../shared/protocol/runtime-names.js';
import type { Clock } from '../../shared/base/clock.js';

export interface FakeRuntimeOptions {
  readonly clock: Clock;
  /** False, and called `process`: as the runtime without an engine. */
  readonly isolates?: boolean;
}

/** An engine in memory, whose containers do nothing by themselves. */
export class FakeRuntime implements ContainerRuntime {
  readonly name: RuntimeName;
  readonly isolates: boolean;
  /** Every start that was asked for. */
  readonly starts: ContainerSpec[] = [];
  /** Ids, in the order of the calls. */
  readonly stopped: string[] = [];
  readonly removed: string[] = [];
  readonly followed: string[] = [];
  readonly verified: { readonly containerId: string; readonly posture: Posture | undefined }[] = [];
  verdict: PostureVerdict = { kind: 'kept' };
  /** Called while a container is stopped. */
  whenStopped: (containerId: string) => void = () => undefined;
  /** How often it was asked for its containers. */
  lists = 0;
  /** The image that containers are started from. */
  image = { name: 'image-1', isReady: true };
  readonly #clock: Clock;
  readonly #containers = new Map<string, ObservedContainer>();
  readonly #startErrors: Error[] = [];
  #away: Error | undefined;
  #startGate: Promise<void> = Promise.resolve();
  #listGate: Promise<void> = Promise.resolve();
  #onExit: (exit: ContainerExit) => void = () => undefined;
  #counter = 0;

  constructor(options: FakeRuntimeOptions) {
    this.#clock = options.clock;
    this.isolates = options.isolates ?? true;
    this.name = this.isolates ? 'docker' : 'process';
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  /** As an engine does: what it saw when it was asked, however long the answer takes. */
  async list(): Promise<readonly ObservedContainer[]> {
    this.lists += 1;
    const seen = [...this.#containers.values()];
    await this.#listGate;
    if (this.#away !== undefined) throw this.#away;
    return seen;
  }

  imageName(): Promise<string> {
    return Promise.resolve(this.image.name);
  }

  hasImage(): Promise<boolean> {
    return Promise.resolve(this.image.isReady);
  }

  async start(spec: ContainerSpec): Promise<string> {
    this.starts.push(spec);
    await this.#startGate;
    const error = this.#startErrors.shift() ?? this.#away;
    if (error !== undefined) throw error;
    return this.put(spec.owner.sessionId, { fingerprint: spec.fingerprint }, spec.owner);
  }

  /** As `verdict` says, of each container. */
  verify(containerId: string, posture: Posture | undefined): Promise<PostureVerdict> {
    this.verified.push({ containerId, posture });
    return Promise.resolve(this.verdict);
  }

  stop(containerId: string): Promise<void> {
    if (this.#away !== undefined) return Promise.reject(this.#away);
    this.stopped.push(containerId);
    this.whenStopped(containerId);
    this.#end(containerId, 143);
    return Promise.resolve();
  }

  remove(containerId: string): Promise<void> {
    if (this.#away !== undefined) return Promise.reject(this.#away);
    this.removed.push(containerId);
    this.#containers.delete(containerId);
    return Promise.resolve();
  }

  followLog(container: ObservedContainer): void {
    this.followed.push(container.containerId);
  }

  hasProcess(): Promise<boolean> {
    return Promise.resolve(false);
  }

  watchExits(onExit: (exit: ContainerExit) => void): void {
    this.#onExit = onExit;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A container that is there without having been started here; it fits whatever is there. Returns its id. */
  put(
    sessionId: string,
    fields: Partial<ObservedContainer> = {},
    owner = { installId: 'install', sessionId, agentGroupId: 'ag-1' },
  ): string {
    this.#counter += 1;
    const containerId = `c-${this.#counter}`;
    const startedAtMs = this.#clock.now();
    const container = {
      containerId,
      owner,
      state: 'running',
      startedAtMs,
      exitCode: null,
      fingerprint: 'v1',
    } as const;
    this.#containers.set(containerId, { ...container, ...fields });
    return containerId;
  }

  /** The session's containers end, and that is told. */
  exit(sessionId: string, exitCode = 1): void {
    for (const { containerId, owner } of this.#containers.values()) {
      if (owner.sessionId !== sessionId) continue;
      this.#end(containerId, exitCode);
      this.#onExit({ containerId, sessionId });
    }
  }

  /** The session's containers are gone without a trace, and nobody is told. */
  vanish(sessionId: string): void {
    for (const { containerId, owner } of this.#containers.values()) {
      if (owner.sessionId === sessionId) this.#containers.delete(containerId);
    }
  }

  running(sessionId: string): readonly string[] {
    return [...this.#containers.values()]
      .filter(({ owner, state }) => owner.sessionId === sessionId && state === 'running')
      .map(({ containerId }) => containerId);
  }

  /** The next starts fail with these, one after the other. */
  willFail(...errors: Error[]): void {
    this.#startErrors.push(...errors);
  }

  /** Every call fails; undefined: it is back. */
  goAway(error: Error | undefined): void {
    this.#away = error;
  }

  /** Starts that are asked for from now on wait until the returned function is called. */
  holdStarts(): () => void {
    const { gate, open } = newGate();
    this.#startGate = gate;
    return open;
  }

  /** Likewise for answers to list. */
  holdLists(): () => void {
    const { gate, open } = newGate();
    this.#listGate = gate;
    return open;
  }

  #end(containerId: string, exitCode: number): void {
    const container = this.#containers.get(containerId);
    if (container?.state !== 'running') return;
    this.#containers.set(containerId, { ...container, state: 'exited', exitCode });
  }
}

function newGate(): { gate: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { gate, open };
}
