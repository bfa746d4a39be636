/** Chooses the runtime, and ends what still runs under another: a session has one runner, whoever started it. */
import { Deadline } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import {
  builtinRuntimes,
  engineAt,
  type RuntimeSettings,
  type RuntimeStrategy,
} from './builtin-runtimes.js';
import { chooseRuntime, type RuntimeDecision, type RuntimeWish } from './choose-runtime.js';
import type { ContainerRuntime } from '../spec/container-runtime.js';

export interface BuiltRuntime extends Pick<RuntimeDecision, 'runtime' | 'remark'> {
  /** The address of its engine; null: it has none. */
  readonly engine: string | null;
  /** Another engine, in which containers of this home may go on; undefined where there is none. */
  readonly leftIn: string | undefined;
}

/** How long to search for containers of another runtime, in milliseconds: one that hangs must not hold up agents. */
const leftoversTimeoutMs = 2_000;

export async function buildRuntime(
  settings: RuntimeSettings,
  wish: RuntimeWish,
  onProgress: (line: string) => void,
): Promise<BuiltRuntime> {
  const { log } = settings;
  const { lastEngine } = wish;
  const strategies = await builtinRuntimes(settings);
  const { strategy, runtime, remark } = await chooseRuntime(wish, strategies, onProgress, log);
  const isKnown = strategies.some(({ address }) => address === lastEngine);
  const last =
    lastEngine === null || isKnown ? [] : [engineAt({ dockerHost: lastEngine }, settings)];
  const others = [...strategies, ...last].filter((it) => it.address !== strategy.address);
  const left = await Promise.all(
    others.map(async (other) => ({ other, isEnded: await endLeftovers(other, runtime, log) })),
  );
  const unknown = left.find(({ other, isEnded }) => !isEnded && other.address === lastEngine);
  return { runtime, remark, engine: strategy.address, leftIn: unknown?.other.address ?? undefined };
}

/** False: it could not be found out what runs there. */
async function endLeftovers(
  other: RuntimeStrategy,
  inUse: ContainerRuntime,
  log: Logger,
): Promise<boolean> {
  const runtime = other.build();
  const ending = endUnknown(runtime, inUse, log);
  ending.catch(() => undefined);
  const { name: otherName, address } = other;
  try {
    if ((await new Deadline(leftoversTimeoutMs).wait(ending)) === 'done') return true;
    log.warn({ runtime: otherName, engine: address }, 'the other runtime is not examined');
  } catch (err) {
    log.debug({ err, runtime: otherName, engine: address }, 'the other runtime does not answer');
  } finally {
    await runtime.close();
  }
  return false;
}

/** Two addresses may be one engine: what the runtime in use lists too is its own. */
async function endUnknown(
  other: ContainerRuntime,
  inUse: ContainerRuntime,
  log: Logger,
): Promise<void> {
  const found = await other.list();
  if (found.length === 0) return;
  const own = other.name === inUse.name ? await inUse.list() : [];
  const known = new Set(own.map(({ containerId }) => containerId));
  for (const { containerId, owner } of found) {
    if (known.has(containerId)) continue;
    await other.remove(containerId);
    log.warn({ containerId, sessionId: owner.sessionId }, 'container of the other runtime removed');
  }
}
