/** Crashes that are longer ago than this do not count, in milliseconds. */
const windowMs = 5 * 60_000;
const baseMs = 1_000;
const longestMs = 60_000;

export interface CrashPause {
  readonly crashes: number;
  readonly waitMs: number;
}

/**
 * How long a daemon waits before it starts, after the crashes of others before it (ISO-8601): whoever restarts it at once,
 * again and again, must not keep the machine busy. The first crash is forgiven.
 */
export function planCrashPause(
  crashTimes: readonly string[],
  nowMs: number,
): CrashPause | undefined {
  const crashes = crashTimes.filter((at) => {
    const ageMs = nowMs - Date.parse(at);
    return ageMs >= 0 && ageMs < windowMs;
  }).length;
  if (crashes < 2) return undefined;
  return { crashes, waitMs: Math.min(baseMs * 2 ** (crashes - 2), longestMs) };
}

export function describeCrashPause({ crashes, waitMs }: CrashPause): string {
  const seconds = Math.round(waitMs / 1_000);
  return `Berth has crashed ${crashes} times in the last minutes and starts in ${seconds} s; \`berth logs\` tells why.`;
}
