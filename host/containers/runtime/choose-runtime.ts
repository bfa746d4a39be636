import { toBerthError, type BerthError } from '../../../shared/base/errors.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { RuntimeName } from '../../../shared/protocol/runtime-names.js';
import type { RuntimeStrategy } from './builtin-runtimes.js';
import type { ContainerRuntime } from '../spec/container-runtime.js';

export interface RuntimeWish {
  readonly choice: 'auto' | RuntimeName;
  /** The last daemon of this home isolated its agents. */
  readonly ranIsolated: boolean;
  /** The address at which it had its engine; null: it had none. */
  readonly lastEngine: string | null;
}

export interface RuntimeDecision {
  readonly strategy: RuntimeStrategy;
  readonly runtime: ContainerRuntime;
  /** Why it is not the better one; null where there is nothing to say. */
  readonly remark: string | null;
}

const unisolated = 'Agents run as plain processes of this machine: nothing isolates them.';

/**
 * `auto`: the first that can be reached and has what it starts agents from, else one that does not isolate, with a word to
 * the user. A provider that runs tools is refused there, so that falling back is safe. Never where the last daemon
 * isolated its agents: isolation is not lost by an engine that is away, or a setting that was forgotten. A choice by name
 * is kept, whatever its state. `strategies`: in their order, one of each name at the least.
 */
export async function chooseRuntime(
  wish: RuntimeWish,
  strategies: readonly RuntimeStrategy[],
  onProgress: (line: string) => void,
  log: Logger,
): Promise<RuntimeDecision> {
  const { choice, ranIsolated, lastEngine } = wish;
  const asked = strategies.filter(({ name }) => choice === 'auto' || name === choice);
  const isolating = asked.filter(({ isolates }) => isolates);
  const open = asked.find(({ isolates }) => !isolates);
  const engine = await findFirst(isolating, lastEngine);
  if (engine === undefined) return decide(required(open), unisolated);
  const runtime = engine.strategy.build();
  if (choice !== 'auto') return { ...engine, runtime, remark: describeNamed(engine) };
  try {
    if (engine.problem !== undefined) throw engine.problem;
    await runtime.prepare(onProgress);
    return { ...engine, runtime, remark: null };
  } catch (error) {
    const problem = toBerthError(error);
    if (ranIsolated || open === undefined) {
      log.error({ err: problem }, 'no containers to be had, agents wait');
      return { ...engine, runtime, remark: describeWaiting(problem, engine) };
    }
    log.warn({ err: problem }, 'no containers to be had, agents run as plain processes');
    await runtime.close();
    return decide(open, `${unisolated} (${problem.message})`);
  }
}

interface FoundEngine {
  readonly strategy: RuntimeStrategy;
  /** Why it cannot be reached. */
  readonly problem?: BerthError | undefined;
  /** The address of one that can be reached instead. */
  readonly other?: string | null | undefined;
}

/**
 * The first that can be reached. Where another served the last daemon, and does not answer, it is waited for: its
 * containers may go on, and a session has one runner. Where none answers: the last one, else the first.
 */
async function findFirst(
  strategies: readonly RuntimeStrategy[],
  lastEngine: string | null,
): Promise<FoundEngine | undefined> {
  const problems = new Map<RuntimeStrategy, BerthError>();
  const last = strategies.find(({ address }) => address !== null && address === lastEngine);
  for (const strategy of strategies) {
    const problem = await strategy.canReach();
    if (problem !== undefined) {
      problems.set(strategy, problem);
      continue;
    }
    if (last === undefined || last === strategy) return { strategy };
    const lastProblem = problems.get(last) ?? (await last.canReach());
    if (lastProblem === undefined) return { strategy };
    return { strategy: last, problem: lastProblem, other: strategy.address };
  }
  // A socket that is there says more than one that is not.
  const there = strategies.find((it) => problems.get(it)?.facts['errno'] !== 'ENOENT');
  const strategy = last ?? there ?? strategies[0];
  return strategy === undefined ? undefined : { strategy, problem: problems.get(strategy) };
}

function describeWaiting(problem: BerthError, engine: FoundEngine): string {
  const waiting = 'Agents of this home have run in containers, and wait until they can again';
  const advice = describeOther(engine) ?? 'To run them without, say `--runtime process`.';
  return `${waiting}: ${problem.message} ${advice}`;
}

/** An engine that does not answer is told of while it does not; others may answer, and not do. */
function describeNamed(engine: FoundEngine): string | null {
  const { problem } = engine;
  const other = describeOther(engine);
  if (other !== undefined || problem === undefined) return other ?? null;
  if (problem.code === 'engine_unreachable' || problem.code === 'engine_timeout') return null;
  return [problem.message, problem.next ?? ''].join(' ').trimEnd();
}

function describeOther({ strategy, other }: FoundEngine): string | undefined {
  if (other === undefined || other === null) return undefined;
  return `Another engine answers at ${other}; to use it instead of the one at ${strategy.address ?? ''}, where containers may still run, say DOCKER_HOST=${other}.`;
}

function decide(strategy: RuntimeStrategy, remark: string): RuntimeDecision {
  return { strategy, runtime: strategy.build(), remark };
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('there is no runtime');
  return value;
}
