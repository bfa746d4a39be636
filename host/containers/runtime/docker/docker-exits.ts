import { z } from 'zod';
import { delay } from '../../../../shared/base/lifecycle.js';
import type { Logger } from '../../../../shared/base/logger.js';
import type { ContainerExit } from '../../spec/container-runtime.js';
import { labelNames } from './docker-create-body.js';
import type { DockerEngine } from './docker-engine.js';
import { readJsonLines } from './engine-json-lines.js';

export interface DockerExitsDeps {
  readonly engine: DockerEngine;
  /** The label of our containers, `name=value`. */
  readonly label: string;
  /** Lists what has ended and is still there: told after each break, as events were missed. */
  readonly listExits: () => Promise<readonly ContainerExit[]>;
  readonly onExit: (exit: ContainerExit) => void;
  readonly log: Logger;
}

const firstRetryMs = 100;
const maxRetryMs = 5_000;

/** Docker says `die`; Podman also says `died`. */
const eventSchema = z.object({
  Action: z.enum(['die', 'died']),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
});

/** Listens to the engine's events until the signal aborts; connects again whenever the stream breaks. Never rejects. */
export async function watchDockerExits(deps: DockerExitsDeps, signal: AbortSignal): Promise<void> {
  let retryMs = firstRetryMs;
  let broke = false;
  const connected = (): void => {
    retryMs = firstRetryMs;
  };
  while (!signal.aborted) {
    await listen(deps, signal, broke, connected).catch((err: unknown) => {
      deps.log.debug({ err }, 'engine events broke off');
    });
    broke = true;
    await delay(retryMs, signal);
    retryMs = Math.min(retryMs * 2, maxRetryMs);
  }
}

async function listen(
  deps: DockerExitsDeps,
  signal: AbortSignal,
  missedSome: boolean,
  connected: () => void,
): Promise<void> {
  const stream = await deps.engine.openEvents(deps.label, signal);
  connected();
  if (missedSome) (await deps.listExits()).forEach(deps.onExit);
  for await (const event of readJsonLines(stream)) tellExit(event, deps.onExit);
}

function tellExit(event: unknown, onExit: (exit: ContainerExit) => void): void {
  const parsed = eventSchema.safeParse(event);
  if (!parsed.success) return;
  const { ID, Attributes } = parsed.data.Actor;
  const sessionId = Attributes[labelNames.session];
  if (sessionId !== undefined) onExit({ containerId: ID, sessionId });
}
