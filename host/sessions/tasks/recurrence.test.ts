import { describe, expect, it } from 'vitest';
import { hasCode } from '../../../shared/base/errors.js';
import { assertRecurrence, describeClockChange, nextRun, parseLocalTime } from './recurrence.js';

const berlin = 'Europe/Berlin';

/** The runs after a time, each from the one before, as the daemon asks when it runs each in time. */
function runsAfter(expression: string, timeZone: string, from: string, count: number): string[] {
  const runs: string[] = [];
  let at = Date.parse(from);
  for (let i = 0; i < count; i += 1) {
    at = nextRun(expression, timeZone, at, at + 300) ?? Number.NaN;
    runs.push(new Date(at).toISOString().replace(':00.000', ''));
  }
  return runs;
}

function refusal(work: () => unknown): { message: string; next: string | undefined } {
  try {
    work();
  } catch (error) {
    if (hasCode(error, 'invalid_input')) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a schedule', () => {
  it.each([
    ['every day at nine', '0 9 * * *', ['2026-02-01T08:00Z', '2026-02-02T08:00Z']],
    ['on weekdays', '0 9 * * MON-FRI', ['2026-02-02T08:00Z', '2026-02-03T08:00Z']],
    ['by its nickname', '@daily', ['2026-01-31T23:00Z', '2026-02-01T23:00Z']],
    ['on the last of the month', '0 0 L * *', ['2026-02-27T23:00Z', '2026-03-30T22:00Z']],
    ['on leap days', '0 12 29 2 *', ['2028-02-29T11:00Z', '2032-02-29T11:00Z']],
    ['on a day of month or of week', '0 0 13 * 5', ['2026-02-05T23:00Z', '2026-02-12T23:00Z']],
  ])('runs %s', (_, expression, expected) => {
    expect(runsAfter(expression, berlin, '2026-01-31T12:00:00Z', 2)).toEqual(expected);
  });

  it.each([
    ['', 'five fields'],
    ['hello', 'five fields'],
    ['0 9 * *', 'five fields'],
    ['* * * * * *', 'five fields'],
    ['? ? * * *', 'five fields'],
    ['@reboot', 'five fields'],
    ['2026-01-31T09:00:00', 'five fields'],
    ['61 * * * *', 'minute'],
    ['0 24 * * *', 'hour'],
    ['0 9 * * 8', 'dayOfWeek'],
    ['*/0 * * * *', 'stepping'],
    ['0 0 30 2 *', 'never comes'],
    ['0 0 31 4,6,9,11 *', 'never comes'],
  ])('refuses %j and says what to write', (expression, why) => {
    const { message, next } = refusal(() => {
      assertRecurrence(expression, berlin);
    });
    expect(message).toContain(why);
    expect(message).toMatch(/^".*\.$/);
    expect(next).toContain('0 9 * * 1-5');
  });

  it('refuses an endless one', () => {
    const endless = `${'0,'.repeat(200)}0 9 * * *`;
    expect(refusal(() => nextRun(endless, berlin, 0, 0)).message).toContain('no schedule');
  });

  it.each(['Mars/Phobos', '', '+01:00', 'Europe/Berlin; x'])('refuses the time zone %j', (zone) => {
    expect(refusal(() => nextRun('0 9 * * *', zone, 0, 0)).message).toContain('time zone');
  });
});

describe('a schedule where the clocks change', () => {
  it('runs right after the gap what the gap leaves out, and the day after at its time', () => {
    expect(runsAfter('30 2 * * *', berlin, '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-30T00:30Z',
    ]);
    expect(runsAfter('30 2,14 * * *', berlin, '2026-03-28T20:00:00Z', 2)).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-29T12:30Z',
    ]);
  });

  it('runs once at a time that comes twice', () => {
    expect(runsAfter('30 2 * * *', berlin, '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
  });

  it('keeps real time for what runs every few minutes', () => {
    const hours = runsAfter('0 * * * *', berlin, '2026-10-24T23:30:00Z', 4);
    expect(hours).toEqual([0, 1, 2, 3].map((hour) => `2026-10-25T0${hour}:00Z`));
    const spring = runsAfter('*/30 * * * *', berlin, '2026-03-29T00:00:00Z', 3);
    expect(spring).toEqual(['2026-03-29T00:30Z', '2026-03-29T01:00Z', '2026-03-29T01:30Z']);
  });

  it('keeps its local hour over the year, on both sides of the globe and beside whole hours', () => {
    for (const zone of [berlin, 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu']) {
      const hour = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeStyle: 'short' });
      let at = Date.parse('2026-01-01T00:00:00Z');
      for (let day = 0; day < 366; day += 1) {
        const next = nextRun('15 9 * * *', zone, at, at) ?? 0;
        expect(hour.format(next)).toBe('09:15');
        expect(next - at).toBeLessThanOrEqual(25 * 3_600_000);
        at = next;
      }
    }
  });
});

/** Numbers that are like chance and the same each time. */
function* chances(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

describe('the next run, whenever it is asked for', () => {
  const expressions = ['*/7 * * * *', '0 9 * * *', '30 2 * * *', '0 0 1 * *', '15 */5 * * 1-5'];
  const zones = ['UTC', berlin, 'America/St_Johns', 'Pacific/Chatham'];
  const chance = chances(20_260_131);
  const upTo = (limit: number): number => Math.floor((chance.next().value as number) * limit);
  const year = 366 * 24 * 3_600_000;

  it('comes after the scheduled one and after now, and nothing in between is left out', () => {
    for (let round = 0; round < 400; round += 1) {
      const expression = expressions[upTo(expressions.length)]!;
      const zone = zones[upTo(zones.length)]!;
      const scheduled = Date.parse('2026-01-01T00:00:00Z') + upTo(year);
      // Run in time, late, after a long downtime, or by a clock that was set back.
      const now = scheduled + [200, 90_000, upTo(30 * 86_400_000), -3_600_000][upTo(4)]!;
      const next = nextRun(expression, zone, scheduled, now)!;
      expect(next).toBeGreaterThan(Math.max(scheduled, now));
      expect(nextRun(expression, zone, next - 1_000, 0)).toBe(next);
      // Asked again from anywhere before it, the answer is the same: nothing lies in between.
      const between = Math.max(scheduled, now) + upTo(next - Math.max(scheduled, now));
      expect(nextRun(expression, zone, between, 0)).toBe(next);
    }
  });

  it('is one run after any downtime, however many were missed', () => {
    const scheduled = Date.parse('2026-01-31T09:00:00Z');
    const backAt = Date.parse('2026-02-20T10:10:00Z');
    const next = nextRun('0 * * * *', 'UTC', scheduled, backAt);
    expect(next).toBe(Date.parse('2026-02-20T11:00:00Z'));
  });
});

describe('a time as a person writes it', () => {
  it.each([
    ['2026-01-31 09:00', '2026-01-31T08:00:00.000Z'],
    ['2026-07-01T09:00:30', '2026-07-01T07:00:30.000Z'],
    ['2026-01-31T09:00:00Z', '2026-01-31T09:00:00.000Z'],
    ['2026-01-31T09:00:00.000z', '2026-01-31T09:00:00.000Z'],
    ['2026-01-31 09:00+05:30', '2026-01-31T03:30:00.000Z'],
    ['2026-10-25 02:30', '2026-10-25T00:30:00.000Z'],
    ['2026-03-29 02:30', '2026-03-29T01:30:00.000Z'],
  ])('reads %j in its time zone', (text, expected) => {
    expect(new Date(parseLocalTime(text, berlin)).toISOString()).toBe(expected);
  });

  it.each(['tomorrow', '', '2026-02-30 09:00', '2026-01-31', '2026-01-31 25:00', '09:00'])(
    'refuses %j',
    (text) => {
      expect(refusal(() => parseLocalTime(text, berlin)).next).toContain('2026-01-31 09:00');
    },
  );
});

describe('a local time at which clocks are changed', () => {
  it.each([
    ['2026-03-29 02:30', 'Europe/Berlin', /^2026-03-29 02:30 does not exist .* 03:30 is taken/],
    [
      '2026-10-25 02:30',
      'Europe/Berlin',
      /twice.*\(2026-10-25T00:30:00Z\); .* 2026-10-25T01:30:00Z/,
    ],
    ['2026-10-04 02:15', 'Australia/Lord_Howe', /does not exist .* 02:45 is taken/],
    ['2026-04-05 01:45', 'Australia/Lord_Howe', /comes twice/],
  ])('%s in %s is told', (text, zone, words) => {
    expect(describeClockChange(text, zone)).toMatch(words);
  });

  it.each([
    ['2026-03-29 03:00', 'Europe/Berlin'],
    ['2026-10-25 03:00', 'Europe/Berlin'],
    ['2026-10-25T02:30:00+01:00', 'Europe/Berlin'],
    ['2026-10-25 02:30', 'UTC'],
  ])('%s in %s is as clear as any', (text, zone) => {
    expect(describeClockChange(text, zone)).toBeNull();
  });
});
