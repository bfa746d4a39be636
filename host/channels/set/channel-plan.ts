/** Decides what is to be done about one channel. Pure: its row says what is wanted, its state what is there. */

/** A channel's row, as far as the channel goes by it. */
export interface DesiredChannel {
  readonly id: string;
  readonly type: string;
  /** JSON. */
  readonly config: string;
  readonly enabled: boolean;
}

export type ActualChannel =
  | { readonly state: 'stopped' }
  /** `madeOf`: as sourceOf tells it of the row that the instance was made from. */
  | { readonly state: 'starting' | 'running'; readonly madeOf: string }
  | { readonly state: 'failed'; readonly madeOf: string; readonly isRetryDue: boolean };

export type ChannelStep = 'none' | 'start' | 'stop' | 'restart';

/** Equal where an instance need not be made anew. */
export function sourceOf({ type, config }: DesiredChannel): string {
  return JSON.stringify([type, config]);
}

/** `desired`: undefined where there is no row. */
export function planChannel(
  desired: DesiredChannel | undefined,
  actual: ActualChannel,
): ChannelStep {
  if (desired?.enabled !== true) return actual.state === 'stopped' ? 'none' : 'stop';
  if (actual.state === 'stopped') return 'start';
  if (actual.madeOf !== sourceOf(desired)) return 'restart';
  return actual.state === 'failed' && actual.isRetryDue ? 'restart' : 'none';
}

export interface RetryLimits {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** How long to wait after so many failed starts in a row, 1 or more. */
export function retryDelayMs(failures: number, { baseMs, maxMs }: RetryLimits): number {
  return Math.min(baseMs * 2 ** Math.min(failures - 1, 30), maxMs);
}
