/**
 * The install's time zone: one for the daemon and for all commands, whatever a shell's TZ says. BERTH_TIME_ZONE decides;
 * without it the machine's own zone; a TZ decides at the first start only, and what was decided stands in daemon_state.
 */
import { isTimeZone } from '../../../shared/base/clock.js';
import type { Config } from '../../config/config.js';
import { readDaemonState, type DaemonState } from '../../store/daemon-state.js';
import type { CommandContext } from './command-context.js';
import { findDaemon } from './daemon-presence.js';

export interface InstallTimeZone {
  /** IANA name. */
  readonly name: string;
  /** A sentence where it is not the zone that the environment asks for. */
  readonly remark: string | null;
}

type LastWord = Pick<DaemonState, 'timeZone'> | undefined;

/** The configuration as a daemon that starts goes by it. `last`: what the daemon before it said. */
export function withInstallZone(config: Config, last: LastWord): Config {
  const { name, remark } = decideZone(config, last);
  return { ...config, timeZone: name, timeZoneOrigin: { ...config.timeZoneOrigin, remark } };
}

/** Returns the zone of the daemon that runs; where none runs, the zone of the next one. */
export function findInstallZone({ config }: Pick<CommandContext, 'config'>): InstallTimeZone {
  const daemon = findDaemon(config.paths);
  const last = daemon.kind === 'present' ? daemon.state : readDaemonState(config.paths.centralDb);
  const said = last?.timeZone ?? null;
  if (daemon.kind === 'absent' || last === undefined || said === null) {
    return decideZone(config, last);
  }
  return { name: said, remark: last.timeZoneRemark };
}

function decideZone({ timeZone, timeZoneOrigin }: Config, last: LastWord): InstallTimeZone {
  const { kind, remark } = timeZoneOrigin;
  const before = last?.timeZone ?? null;
  const isKept = kind === 'variable' && before !== null && isTimeZone(before);
  if (!isKept || before === timeZone) return { name: timeZone, remark };
  return { name: before, remark: describeKept(before) };
}

function describeKept(name: string): string {
  return `TZ is ignored: times are told in ${name}, as before. Set BERTH_TIME_ZONE to choose another zone.`;
}
