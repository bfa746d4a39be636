export interface RetryLimits {
  /** How often a message is tried in all. */
  readonly tries: number;
  /** The wait before the second try, in milliseconds; doubles with every further one. */
  readonly baseMs: number;
}

/** An hour: a longer wait is no better, and 2^n grows out of every range. */
const longestWaitMs = 3_600_000;

/**
 * Tries are counted on when a person has a message tried anew, so that an old ack is known to be old; every `limits.tries`
 * of them are a round. How many failures there were in the present one.
 */
export function failuresInRound(tries: number, limits: RetryLimits): number {
  return tries % limits.tries;
}

/** Returns what the tries are set to when a message is tried anew. */
export function nextRound(tries: number, limits: RetryLimits): number {
  return tries - failuresInRound(tries, limits) + limits.tries;
}

/** When to try again after `failures` failures, or that it is enough. `chance` in [0, 1) spreads equal waits by ±10 %. */
export function planRetry(
  failures: number,
  limits: RetryLimits,
  chance: number,
): { readonly kind: 'retry'; readonly waitMs: number } | { readonly kind: 'give-up' } {
  if (failures >= limits.tries) return { kind: 'give-up' };
  return { kind: 'retry', waitMs: backoffMs(failures, limits.baseMs, chance) };
}

/** The wait after `failures` failures: doubling, bounded, spread by ±10 %. */
export function backoffMs(failures: number, baseMs: number, chance: number): number {
  const doubled = Math.min(baseMs * 2 ** Math.max(0, failures - 1), longestWaitMs);
  return Math.round(doubled * (0.9 + 0.2 * chance));
}
