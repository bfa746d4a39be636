import { BerthError } from '../../../../shared/base/errors.js';
import type { Logger } from '../../../../shared/base/logger.js';
import { BuildLimits, type BuildLimitsDeps } from './build-limits.js';
import { BuildProgress } from './build-progress.js';
import type { DockerEngine } from './docker-engine.js';
import { readJsonLines } from './engine-json-lines.js';
import { packContext, readImageContext, type ImageContext } from './image-context.js';

export interface AgentImageDeps extends BuildLimitsDeps {
  readonly engine: DockerEngine;
  /** The folder with the Dockerfile and everything it copies: dist/agent-image. */
  readonly contextDir: string;
  /** Undefined for the Dockerfile's default. */
  readonly baseImage: string | undefined;
  readonly log: Logger;
}

const inputsLabel = 'berth.inputs';
/** The words of scripts/fit-addon.sh. */
const needsNetworkLine = 'This build needs the network.';

interface BuildOutcome {
  readonly progress: BuildProgress;
  /** Undefined: the image is there. */
  readonly failure: unknown;
}

/** The image that agents run in. Its tag is made from what it is built from, so a changed input is a new image. */
export class AgentImage {
  readonly #deps: AgentImageDeps;
  readonly #listeners = new Set<(line: string) => void>();
  #context: Promise<ImageContext> | undefined;
  #ensuring: Promise<void> | undefined;

  constructor(deps: AgentImageDeps) {
    this.#deps = deps;
  }

  /** The name to run, whether or not it is built yet. Inputs are read once. Throws image_failed. */
  async tag(): Promise<string> {
    return tagOf(await this.#readContext());
  }

  /** Whether the engine has it. Throws what the engine throws. */
  async isBuilt(): Promise<boolean> {
    const context = await this.#readContext();
    const labels = await this.#deps.engine.findImage(tagOf(context));
    return labels?.[inputsLabel] === context.inputsHash;
  }

  /**
   * Builds the image unless the engine has it; returns its tag. Calls at the same time share one build.
   * Throws image_failed, or what the engine throws.
   */
  async ensure(onProgress: (line: string) => void): Promise<string> {
    this.#listeners.add(onProgress);
    this.#ensuring ??= this.#buildIfMissing().finally(() => {
      this.#ensuring = undefined;
    });
    try {
      await this.#ensuring;
      return await this.tag();
    } finally {
      this.#listeners.delete(onProgress);
    }
  }

  async #readContext(): Promise<ImageContext> {
    this.#context ??= readImageContext(this.#deps.contextDir, this.#deps.baseImage);
    try {
      return await this.#context;
    } catch (error) {
      this.#context = undefined;
      throw error;
    }
  }

  async #buildIfMissing(): Promise<void> {
    if (await this.isBuilt()) return;
    const context = await this.#readContext();
    const startedAt = performance.now();
    await this.#build(context);
    const durationMs = Math.round(performance.now() - startedAt);
    this.#deps.log.info({ image: tagOf(context), durationMs }, 'agent image built');
  }

  /** Without the network where nothing in it needs one: then no broken bridge or name server stops it. */
  async #build(context: ImageContext): Promise<void> {
    const limits = new BuildLimits(this.#deps);
    limits.start();
    try {
      const network = context.needsNetwork ? 'default' : 'none';
      let { progress, failure } = await this.#tryBuild(context, network, limits);
      if (failure !== undefined && progress.tail().includes(needsNetworkLine)) {
        this.#deps.log.info({ image: tagOf(context) }, 'agent image is built with the network');
        ({ progress, failure } = await this.#tryBuild(context, 'default', limits));
      }
      if (failure === undefined) return;
      throw limits.exceeded(progress.tail()) ?? (await this.#explain(context, progress, failure));
    } finally {
      limits.stop();
    }
  }

  /** Never rejects. */
  async #tryBuild(
    context: ImageContext,
    network: 'none' | 'default',
    limits: BuildLimits,
  ): Promise<BuildOutcome> {
    const progress = new BuildProgress((line) => {
      for (const listener of this.#listeners) listener(line);
    });
    try {
      const request = {
        context: packContext(context),
        tag: tagOf(context),
        buildArgs: { BASE_IMAGE: context.baseImage, NETWORK: network },
        labels: { [inputsLabel]: context.inputsHash },
        network,
      };
      const stream = await this.#deps.engine.openBuild(request, limits.signal);
      for await (const line of readJsonLines(stream)) {
        limits.noteAnswer();
        progress.take(line);
      }
      if (progress.error !== undefined) return { progress, failure: progress.error };
      // A stream may end early without a word; the label tells whether the image is the one that was asked for.
      const labels = await this.#deps.engine.findImage(tagOf(context));
      const isBuilt = labels?.[inputsLabel] === context.inputsHash;
      return { progress, failure: isBuilt ? undefined : 'the build ended before its time' };
    } catch (failure) {
      return { progress, failure };
    }
  }

  /** A base image that is neither there nor to be had is by far the most likely reason; it gets its own words. */
  async #explain(
    context: ImageContext,
    progress: BuildProgress,
    reason: unknown,
  ): Promise<unknown> {
    if (reason instanceof BerthError && reason.code !== 'engine_failed') return reason;
    const text = reason instanceof Error ? reason.message : String(reason);
    if ((await this.#deps.engine.findImage(context.baseImage)) === undefined) {
      return new BerthError(
        'image_failed',
        `The agent image needs the base image ${context.baseImage}, which is not here and could not be pulled: ${text}`,
        {
          next: 'Pull it, name another with berth image build --base-image NAME or BERTH_BASE_IMAGE, or make one with scripts/make-base-image.',
          cause: reason,
        },
      );
    }
    return new BerthError(
      'image_failed',
      `The agent image could not be built: ${text}\n${progress.tail()}`,
      {
        next: 'Put right what the last lines name, then run berth image build.',
        cause: reason,
      },
    );
  }
}

function tagOf(context: ImageContext): string {
  return `berth-agent:${context.inputsHash.slice(0, 12)}`;
}
