/** Time, passed in so that tests can hold it still. Milliseconds since the Unix epoch, as Date.now(). */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** An instant as every Berth database stores it: ISO-8601, UTC, milliseconds. Sorts as text. */
export function isoAt(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** Whether it is the IANA name of a time zone: a place or UTC, not an offset. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
