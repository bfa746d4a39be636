import { parseLocalTime } from '../../sessions/tasks/recurrence.js';
import { parseGiven, WrongValue } from './command-context.js';

const units = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'm', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const;

/** `2h 5m`: the two largest units. */
export function describeDuration(ms: number): string {
  let rest = Math.max(0, ms);
  const parts: string[] = [];
  for (const { name, ms: unitMs } of units) {
    const count = Math.floor(rest / unitMs);
    if (count > 0) parts.push(`${count}${name}`);
    rest -= count * unitMs;
  }
  return parts.slice(0, 2).join(' ') || '0s';
}

/** `5m ago`, in the largest unit; `-` for null. */
export function describeAge(iso: string | null, nowMs: number): string {
  if (iso === null) return '-';
  const [largest = '0s'] = describeDuration(nowMs - Date.parse(iso)).split(' ');
  return `${largest} ago`;
}

/** `in 5m`, in the two largest units; `due` for what has come. */
export function describeWait(iso: string, nowMs: number): string {
  const waitMs = Date.parse(iso) - nowMs;
  return waitMs <= 0 ? 'due' : `in ${describeDuration(waitMs)}`;
}

/** `2026-01-31 09:00`, or with its seconds, where the clocks of the time zone stand so. */
export function describeLocal(iso: string, timeZone: string): string {
  // The way in which Swedes write a time is the one that sorts.
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' })
    .format(Date.parse(iso))
    .replace(/:00$/, '');
}

/** `2026-01-31 09:00 (Europe/Berlin)` */
export function describeZoned(iso: string, timeZone: string): string {
  return `${describeLocal(iso, timeZone)} (${timeZone})`;
}

/**
 * `10m`, `2h` before now, or a time like `2026-01-31 09:00` or `2026-01-31` of that time zone, or with an offset of its
 * own; in epoch milliseconds. Throws invalid_input.
 */
export function parseSince(text: string, nowMs: number, timeZone: string): number {
  const relative = /^(\d+)([dhms])$/.exec(text);
  const unit = units.find(({ name }) => name === relative?.[2]);
  if (unit !== undefined) return nowMs - Number(relative?.[1]) * unit.ms;
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const whole = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text} 00:00` : text;
    return parseGiven(() => parseLocalTime(whole, timeZone));
  }
  throw new WrongValue(`${JSON.stringify(text)} is no time.`, {
    next: 'Write it like 10m, 2h, 1d or 2026-01-31T12:00:00Z.',
  });
}
