/**
 * Has each container that has begun to run verified, beside its first turn: nobody waits for the outcome, and a container
 * that differs from what was asked for is ended at once.
 */
import { toBerthError, type BerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { ContainerRuntime } from './spec/container-runtime.js';
import type { Posture } from './spec/posture.js';

export interface PostureWatchDeps {
  readonly runtime: ContainerRuntime;
  readonly log: Logger;
  /** `why`: a clause that says why containers cannot be verified from here; null: they are. Called when that changes. */
  readonly onVerified: (why: string | null) => void;
  readonly onKept: () => void;
  /** Ends the container. */
  readonly onDiffers: (sessionId: string, containerId: string, error: BerthError) => Promise<void>;
}

export interface StartedContainer {
  readonly sessionId: string;
  readonly containerId: string;
  /** Undefined where another daemon has started it. */
  readonly posture: Posture | undefined;
}

export class PostureWatch {
  readonly #deps: PostureWatchDeps;
  readonly #underWay = new Set<Promise<void>>();
  #why: string | null = null;

  constructor(deps: PostureWatchDeps) {
    this.#deps = deps;
  }

  begin(container: StartedContainer): void {
    if (this.#deps.runtime.verify === undefined) {
      this.#deps.onKept();
      return;
    }
    const verification = this.#verify(container).finally(() => {
      this.#underWay.delete(verification);
    });
    this.#underWay.add(verification);
  }

  /** Resolves when nothing is being verified. */
  async idle(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Never rejects. An engine that fails meanwhile is told of by others. */
  async #verify({ sessionId, containerId, posture }: StartedContainer): Promise<void> {
    const { runtime, log, onKept, onDiffers } = this.#deps;
    try {
      const verdict = await runtime.verify?.(containerId, posture);
      if (verdict?.kind === 'differs') {
        log.error(
          { err: verdict.error, sessionId, containerId },
          'container differs from its posture',
        );
        await onDiffers(sessionId, containerId, verdict.error);
      } else if (verdict?.kind === 'kept' || verdict?.kind === 'unseen') {
        this.#tell(verdict.kind === 'kept' ? null : verdict.why);
        onKept();
      }
    } catch (error) {
      log.warn({ err: toBerthError(error), sessionId, containerId }, 'container not verified');
    }
  }

  #tell(why: string | null): void {
    if (this.#why === why) return;
    this.#why = why;
    this.#deps.onVerified(why);
  }
}
