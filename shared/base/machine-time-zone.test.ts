import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  findMachineTimeZone,
  type MachineFiles,
  type MachineTimeZone,
} from './machine-time-zone.js';

describe('the time zone of a machine', () => {
  let folder: string;
  let files: MachineFiles;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-zone-'));
    files = { localtime: join(folder, 'localtime'), timezone: join(folder, 'timezone') };
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function find(tz: string | undefined): MachineTimeZone {
    return findMachineTimeZone(tz, files, () => undefined);
  }

  it.each([
    ['Asia/Tokyo', 'Asia/Tokyo'],
    [':Asia/Tokyo', 'Asia/Tokyo'],
    ['posix/Asia/Tokyo', 'Asia/Tokyo'],
    ['/usr/share/zoneinfo/Asia/Tokyo', 'Asia/Tokyo'],
    [':/usr/share/zoneinfo/Asia/Tokyo', 'Asia/Tokyo'],
    ['EST5EDT', 'EST5EDT'],
    ['UTC', 'UTC'],
  ])('is what TZ names: %j', (tz, name) => {
    expect(find(tz)).toEqual({ name, remark: null });
  });

  it.each([
    'CST-8',
    'UTC+3',
    'GMT+3',
    '',
    'Foo/Bar',
    'PST8PDT,M3.2.0,M11.1.0',
    '<+03>-3',
    '/',
    ':',
  ])('is the machine’s own, with a remark, where TZ names none: %j', (tz) => {
    symlinkSync('../usr/share/zoneinfo/Europe/Berlin', files.localtime);
    const { name, remark } = find(tz);
    expect(name).toBe('Europe/Berlin');
    expect(remark).toMatch(/^TZ.*: times are told in Europe\/Berlin\. Set BERTH_TIME_ZONE/);
    rmSync(files.localtime);
    expect(find(tz).name).toBe('UTC');
  });

  it('is what /etc/localtime is a link to, also through another link, also where TZ names that file', () => {
    symlinkSync('/usr/share/zoneinfo/Asia/Kolkata', join(folder, 'other'));
    symlinkSync('other', files.localtime);
    for (const tz of [undefined, files.localtime, `:${files.localtime}`]) {
      expect(find(tz)).toEqual({ name: 'Asia/Kolkata', remark: null });
    }
  });

  it('is what /etc/timezone says where the other is a copy', () => {
    writeFileSync(files.localtime, 'TZif2');
    writeFileSync(files.timezone, 'Europe/Berlin\n');
    expect(find(undefined).name).toBe('Europe/Berlin');
    writeFileSync(files.timezone, 'nonsense\n');
    expect(find(undefined)).toEqual({ name: 'UTC', remark: null });
  });

  it('is what the runtime makes of a copy that nothing names', () => {
    expect(findMachineTimeZone(undefined, files, () => 'Asia/Tokyo').name).toBe('Asia/Tokyo');
    expect(findMachineTimeZone(undefined, files, () => 'Etc/Unknown').name).toBe('UTC');
  });

  it('is UTC where the machine’s files are something else altogether', () => {
    mkdirSync(files.localtime);
    symlinkSync(files.timezone, files.timezone);
    expect(find(undefined).name).toBe('UTC');
  });
});
