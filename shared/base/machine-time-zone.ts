/** Which time zone this process and its machine are in, as an IANA name: the environment may say it in other ways. */
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { posix } from 'node:path';
import { isTimeZone } from './clock.js';

export interface MachineTimeZone {
  /** IANA name. */
  readonly name: string;
  /** A sentence where `name` is not what the environment asks for. */
  readonly remark: string | null;
}

/** Where the machine says its zone: a link below zoneinfo/, and a file with the name. Source: localtime(5), tzselect(8). */
export interface MachineFiles {
  readonly localtime: string;
  readonly timezone: string;
}

const machineFiles: MachineFiles = { localtime: '/etc/localtime', timezone: '/etc/timezone' };

/**
 * `tz`: the variable TZ; undefined where it is not set. A value that names no zone, like `CST-8`, is ignored: the
 * machine's own zone counts, and UTC where the machine names none; the remark says so.
 */
export function findMachineTimeZone(
  tz: string | undefined,
  files: MachineFiles = machineFiles,
  guess: () => string | undefined = guessOfRuntime,
): MachineTimeZone {
  if (tz === undefined) {
    const name = findMachinesOwn(files) ?? knownName(guess() ?? '') ?? 'UTC';
    return { name, remark: null };
  }
  const named = nameIn(tz.replace(/^:/, ''), files);
  if (named !== undefined) return { name: named, remark: null };
  const name = findMachinesOwn(files) ?? 'UTC';
  return { name, remark: describeIgnoredZone(tz, name) };
}

/** It knows a zone by its file's content too, and says nothing where it knows none, whatever its type promises. */
function guessOfRuntime(): string | undefined {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function describeIgnoredZone(tz: string, name: string): string {
  const what = tz === '' ? 'TZ is empty' : `TZ=${JSON.stringify(tz)} names no time zone`;
  return `${what}: times are told in ${name}. Set BERTH_TIME_ZONE to choose one.`;
}

/** A name, or the path of a zone's file. */
function nameIn(text: string, files: MachineFiles): string | undefined {
  if (text === files.localtime) return findMachinesOwn(files);
  if (text.startsWith('/')) return nameOfFile(text);
  return knownName(text);
}

function knownName(text: string): string | undefined {
  const name = text.trim().replace(/^(posix|right)\//, '');
  // ICU gives this name to a zone that it does not know. Source: unicode.org/reports/tr35, "Etc/Unknown".
  if (!isTimeZone(name) || /^Etc\/Unknown$/i.test(name)) return undefined;
  return /^Etc\/(UTC|UCT|Universal|Zulu)$/i.test(name) ? 'UTC' : name;
}

function findMachinesOwn({ localtime, timezone }: MachineFiles): string | undefined {
  return nameOfFile(localtime) ?? nameOfLinkTarget(localtime) ?? nameInFile(timezone);
}

/** Only one link is followed: zones that are names of others keep the name that was chosen. */
function nameOfFile(path: string): string | undefined {
  const target = attempt(() => posix.resolve(posix.dirname(path), readlinkSync(path)));
  return nameBelowZoneinfo(target) ?? nameBelowZoneinfo(path);
}

function nameOfLinkTarget(path: string): string | undefined {
  return nameBelowZoneinfo(attempt(() => realpathSync(path)));
}

function nameBelowZoneinfo(path: string | undefined): string | undefined {
  const [, name] = /\/zoneinfo[^/]*\/(.+)$/.exec(path ?? '') ?? [];
  return name === undefined ? undefined : knownName(name);
}

function nameInFile(path: string): string | undefined {
  const text = attempt(() => readFileSync(path, 'utf8'));
  return text === undefined ? undefined : knownName(text.trim());
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
