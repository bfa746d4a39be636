/** Says what a measure is, and what it brings. */
import type { Summary } from './statistics.js';
import type { Workbench } from './workbench.js';

/** A number to reach. */
export interface Goal {
  readonly what: string;
  readonly value: number;
  readonly unit: 'ms' | '/s' | '%' | 'MB' | '';
  readonly sense: 'at most' | 'at least';
  readonly limit: number;
}

/** A line of a chart: how a figure grows with a size. */
export interface Series {
  readonly title: string;
  readonly sizes: string;
  readonly unit: string;
  readonly points: readonly { readonly size: number; readonly value: number }[];
}

export interface Result {
  /** In milliseconds, where there is something to spread. */
  readonly spread?: Summary;
  readonly goals: readonly Goal[];
  /** Notes on what else was seen. */
  readonly remarks?: readonly string[];
  readonly series?: readonly Series[];
}

export interface Measure {
  /** As it is called on the command line. */
  readonly name: string;
  readonly title: string;
  /** Says in a line what is done. */
  readonly method: string;
  /** Says in words what is to be reached. */
  readonly target: string;
  /** The public peer's figure; undefined where none was measured. */
  readonly peer?: string;
  readonly run: (bench: Workbench) => Promise<Result>;
}

export function atMost(what: string, value: number, limit: number, unit: Goal['unit']): Goal {
  return { what, value, unit, sense: 'at most', limit };
}

export function atLeast(what: string, value: number, limit: number, unit: Goal['unit']): Goal {
  return { what, value, unit, sense: 'at least', limit };
}

export function isReached({ value, sense, limit }: Goal): boolean {
  return sense === 'at most' ? value <= limit : value >= limit;
}
