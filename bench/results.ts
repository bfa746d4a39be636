/** bench/results.json: the last result of each measure, so that some can be measured anew and the others stay. */
import { existsSync, readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem, type } from 'node:os';
import type { BenchEngine } from './engine.js';
import type { Result } from './measure.js';

/** The facts that the figures depend on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly engine: string;
  readonly node: string;
}

export type StoredResult =
  | ({ readonly kind: 'measured'; readonly measuredOn: string } & Result)
  /** `reason`: why it could not be measured. */
  | { readonly kind: 'missing'; readonly measuredOn: string; readonly reason: string };

export interface Results {
  readonly machine: Machine;
  /** By the measure's name. */
  readonly measures: Readonly<Record<string, StoredResult>>;
}

export function describeMachine({ version }: BenchEngine): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()} ${arch()}`,
    engine: version ?? 'none: agents run as plain processes',
    node: process.version,
  };
}

/** Results of another machine do not stand beside these: without them. */
export function loadResults(path: string, machine: Machine): Results {
  if (!existsSync(path)) return { machine, measures: {} };
  // Written by the benchmarks only.
  const stored = JSON.parse(readFileSync(path, 'utf8')) as Results;
  const isSame = JSON.stringify(stored.machine) === JSON.stringify(machine);
  return isSame ? stored : { machine, measures: {} };
}
