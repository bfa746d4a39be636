import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../config/config.js';
import { withInstallZone } from './install-time-zone.js';

/** Returns the zone of a daemon that starts in this environment, after one with the zone `last`. */
function zoneOf(
  environment: Record<string, string>,
  last: string | null,
): { name: string; remark: string | null } {
  const { config } = resolveConfig({}, { BERTH_HOME: '/nowhere', ...environment });
  const { timeZone, timeZoneOrigin } = withInstallZone(config, { timeZone: last });
  return { name: timeZone, remark: timeZoneOrigin.remark };
}

describe('the time zone of an install', () => {
  it.each([
    ['the setting', { BERTH_TIME_ZONE: 'Asia/Tokyo', TZ: 'UTC' }, 'Europe/Berlin', 'Asia/Tokyo'],
    ['TZ at the first start', { TZ: 'Asia/Tokyo' }, null, 'Asia/Tokyo'],
    ['what the last daemon went by', { TZ: 'Asia/Tokyo' }, 'Europe/Berlin', 'Europe/Berlin'],
    ['no zone that there is not', { TZ: 'Asia/Tokyo' }, 'Mars/Phobos', 'Asia/Tokyo'],
    ['what was, where TZ is none', { TZ: 'CST-8' }, 'Europe/Berlin', 'Europe/Berlin'],
  ])('is %s', (_, environment, last, expected) => {
    expect(zoneOf(environment, last).name).toBe(expected);
  });

  it('says so where a shell’s TZ is ignored, and nothing where it says the same', () => {
    expect(zoneOf({ TZ: 'Asia/Tokyo' }, 'Europe/Berlin').remark).toBe(
      'TZ is ignored: times are told in Europe/Berlin, as before. Set BERTH_TIME_ZONE to choose another zone.',
    );
    expect(zoneOf({ TZ: 'Europe/Berlin' }, 'Europe/Berlin').remark).toBeNull();
    expect(zoneOf({ BERTH_TIME_ZONE: 'Asia/Tokyo', TZ: 'nonsense' }, null).remark).toBeNull();
  });
});
