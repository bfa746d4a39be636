/** Waits end no earlier than after this share of their interval, and no later than so much after it. */
const slack = 0.1;

/**
 * How long to wait for the next of the moments that all timers with this interval share, in milliseconds. Loops that
 * find nothing to do then wake together, and the processor sleeps in between: what a wake costs is mostly the waking.
 */
export function untilSharedTick(intervalMs: number, now = performance.now()): number {
  if (intervalMs <= 0) return 0;
  return Math.floor(now / intervalMs + 1 + slack) * intervalMs - now;
}
