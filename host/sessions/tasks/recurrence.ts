/** When recurring tasks run: five cron fields in a time zone. Pure; the one door to croner. */
import { Cron } from 'croner';
import { isoAt, isTimeZone } from '../../../shared/base/clock.js';
import { BerthError } from '../../../shared/base/errors.js';

/**
 * A time of day that a change to summer time leaves out runs right after the gap, and one that comes twice runs once;
 * what runs every few minutes follows real time. Source: croner's documentation, "fixedTimeRule".
 */
const cronOptions = { mode: '5-part', fixedTimeRule: 'no-wildcard', paused: true } as const;

/** Seconds are not offered: a run a minute is the most that a conversation can take. `?` would mean the time of reading. */
const shape =
  /^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|[^\s@?]+(\s+[^\s@?]+){4})$/i;
const longestExpression = 200;
const example = '"0 9 * * 1-5" is nine o’clock from Monday to Friday.';

/** Throws invalid_input: for what is no cron expression, and for one that never comes true (30 February). */
export function assertRecurrence(expression: string, timeZone: string): void {
  if (cronOf(expression, timeZone).nextRun() === null) {
    throw noSchedule(expression, 'that day never comes');
  }
}

function cronOf(expression: string, timeZone: string): Cron {
  assertTimeZone(timeZone);
  if (expression.length > longestExpression || !shape.test(expression.trim())) {
    throw noSchedule(expression, 'it must have five fields');
  }
  try {
    return new Cron(expression.trim(), { ...cronOptions, timezone: timeZone });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw noSchedule(expression, message.replace(/^\w+: /, '').replace(/\.$/, ''));
  }
}

function noSchedule(expression: string, why: string): BerthError {
  return new BerthError('invalid_input', `${JSON.stringify(expression)} is no schedule: ${why}.`, {
    next: `Write minute, hour, day of month, month and day of week: ${example}`,
  });
}

/** Throws invalid_input. */
export function assertTimeZone(name: string): void {
  if (isTimeZone(name)) return;
  throw new BerthError('invalid_input', `There is no time zone ${JSON.stringify(name)}.`, {
    next: 'Write it as a place, like Europe/Berlin, or UTC.',
  });
}

/**
 * The run after the one that was scheduled, in epoch milliseconds. It comes from the scheduled time, not from when that
 * was run; what has been missed up to now is left out. Undefined where none comes. Throws as assertRecurrence.
 */
export function nextRun(
  expression: string,
  timeZone: string,
  scheduledMs: number,
  nowMs: number,
): number | undefined {
  const after = new Date(Math.max(scheduledMs, nowMs));
  return cronOf(expression, timeZone).nextRun(after)?.getTime();
}

/**
 * The instant of a local time like `2026-01-31 09:00`, in epoch milliseconds; with `Z` or an offset at its end it is
 * that of its own. A time that comes twice is the first one. Throws invalid_input.
 */
export function parseLocalTime(text: string, timeZone: string): number {
  assertTimeZone(timeZone);
  const found = localTime.exec(text.trim());
  const at = found === null ? Number.NaN : instantOf(found, timeZone);
  if (at < Date.UTC(9999, 0)) return at;
  throw new BerthError('invalid_input', `${JSON.stringify(text)} is no time.`, {
    next: 'Write it like "2026-01-31 09:00", or with its offset like 2026-01-31T09:00:00Z.',
  });
}

/**
 * A sentence where clocks are changed at that local time, so that it does not exist or comes twice; null otherwise, and
 * for a time that has an offset of its own. Throws as parseLocalTime.
 */
export function describeClockChange(text: string, timeZone: string): string | null {
  const atMs = parseLocalTime(text, timeZone);
  const [, day = '', time = '', seconds = ':00', offset] = localTime.exec(text.trim()) ?? [];
  if (offset !== undefined) return null;
  const asUtc = Date.parse(`${day}T${time}${seconds}Z`);
  const given = `${day} ${time}`;
  // Clocks are changed by some hours at the most, and not twice within two days.
  const offsets = [atMs - dayMs, atMs + dayMs].map((ms) => offsetAt(ms, timeZone));
  const instants = new Set(offsets.map((ms) => asUtc - ms));
  const meant = [...instants].filter((ms) => ms + offsetAt(ms, timeZone) === asUtc);
  if (meant.length === 0) {
    const shown = isoAt(atMs + offsetAt(atMs, timeZone)).slice(11, 16);
    return `${given} does not exist in ${timeZone}: clocks are set forward then. ${shown} is taken instead.`;
  }
  if (meant.length === 1) return null;
  const [first, second] = meant.sort((a, b) => a - b).map((ms) => isoAt(ms).replace('.000', ''));
  return `${given} comes twice in ${timeZone}: clocks are set back then. The first is taken (${first ?? ''}); the second is ${second ?? ''}.`;
}

const dayMs = 86_400_000;

/** By how much clocks there are ahead of UTC, in milliseconds. */
function offsetAt(epochMs: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  const wholeMs = Math.floor(epochMs / 1_000) * 1_000;
  return Date.parse(`${format.format(wholeMs).replace(' ', 'T')}Z`) - wholeMs;
}

const localTime =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2})?(?:\.\d{1,3})?(Z|[+-]\d{2}:?\d{2})?$/i;

/** NaN where it does not exist. */
function instantOf(
  [, day = '', time = '', seconds, zone]: RegExpExecArray,
  timeZone: string,
): number {
  const local = `${day}T${time}${seconds ?? ':00'}`;
  const asUtc = Date.parse(`${local}Z`);
  // A day that does not exist, like 30 February, would be read as one in March.
  if (Number.isNaN(asUtc) || !isoAt(asUtc).startsWith(day)) return Number.NaN;
  if (zone !== undefined) return Date.parse(`${local}${zone.toUpperCase()}`);
  const once = new Cron(local, { timezone: timeZone, paused: true, allowPast: true }).getOnce();
  return once?.getTime() ?? Number.NaN;
}
