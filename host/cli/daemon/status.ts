import { dirname } from 'node:path';
import { isoAt } from '../../../shared/base/clock.js';
import { hasCode } from '../../../shared/base/errors.js';
import { isAnswering } from '../../channels/terminal/terminal-probe.js';
import {
  backupEveryMs,
  findNewestBackup,
  type Backup,
} from '../../store/central/central-backup.js';
import { isolatesAgents, type DaemonState } from '../../store/daemon-state.js';
import type { AddCommands, CommandContext } from '../command/command-context.js';
import { findDaemon } from '../command/daemon-presence.js';
import { describeFullDisk, findDiskSpace } from './disk-space.js';
import { findInstallZone, type InstallTimeZone } from '../command/install-time-zone.js';
import { decideHealth, healthCodes, type HealthFacts } from './health.js';
import { describeOtherProgram } from './home-remarks.js';
import { listProblems } from './ready-words.js';
import { readStore } from '../command/store-access.js';
import { formatFields } from '../output/table.js';
import { describeDuration, describeZoned } from '../command/time-words.js';

/** Long for a daemon that is well, in milliseconds. */
const answerWithinMs = 3_000;

interface Counts {
  readonly activeSessions: number;
  readonly runningContainers: number;
  /** Sessions with work to do that wait for their container. */
  readonly waitingSessions: number;
  readonly maxContainers: number;
  readonly due: number;
  readonly deadLetters: number;
}

export const addStatusCommand: AddCommands = (program, act) => {
  program
    .command('status')
    .description('say how the daemon is; exit code 1 when it does not run')
    .option('--check', 'say it in one line; exit code 0 well, 1 a warning, 2 critical, 3 unknown')
    .action(act(status));
};

async function status(
  context: CommandContext,
  { check }: { readonly check?: boolean },
): Promise<number> {
  const { output, clock, config } = context;
  const daemon = findDaemon(config.paths);
  const state = daemon.kind === 'present' ? daemon.state : undefined;
  const counts = count(context, state);
  const answers = await asksBack(context, state);
  const zone = findInstallZone(context);
  // A daemon on a full disk cannot write that down.
  const dataDir = dirname(config.paths.centralDb);
  const fullDisk = describeFullDisk(findDiskSpace(dataDir), dataDir);
  if (check === true) {
    const deadLetters = counts?.deadLetters ?? 0;
    return tellHealth(
      context,
      state,
      { running: daemon.kind !== 'absent', answers, deadLetters },
      fullDisk,
    );
  }
  const backup = findNewestBackup(config.paths.backupsDir, clock.now());
  const facts = {
    home: config.paths.home,
    homeNotes: context.homeNotes,
    newestBackup: backup === undefined ? null : { ...backup, madeAt: isoAt(backup.madeAtMs) },
    running: daemon.kind !== 'absent',
    answers: answers ?? null,
    ...(state === undefined ? {} : describeState(state, clock.now(), fullDisk)),
    timeZone: zone.name,
    timeZoneRemark: zone.remark,
    ...(counts === undefined ? {} : { counts }),
  };
  output.result(facts, (width) =>
    formatFields(
      [
        ['home', config.paths.home],
        ...context.homeNotes.map((note): Field => ['', note]),
        ['daemon', describeDaemon(daemon.kind, state, answers)],
        ['program', state && describeOtherProgram(state, config.program.root)],
        ...(state === undefined ? fieldsOfZone(zone) : fieldsOf(state, clock.now(), zone)),
        ['problem', problemOf(state, fullDisk) ?? undefined],
        ...(counts === undefined ? [] : fieldsOfCounts(counts)),
        ['backup', describeBackup(backup, clock.now())],
      ],
      width,
    ),
  );
  return facts.running ? 0 : 1;
}

function tellHealth(
  { output, homeNotes }: CommandContext,
  state: DaemonState | undefined,
  found: Pick<HealthFacts, 'running' | 'answers' | 'deadLetters'>,
  fullDisk: string | undefined,
): number {
  const said = state === undefined ? [] : listProblems(state);
  const { level, reasons } = decideHealth({
    ...found,
    phase: state?.phase,
    problems: fullDisk === undefined ? said : [...said, fullDisk],
    remarks: [...homeNotes, ...(state?.remarks ?? [])],
  });
  output.result({ level, reasons }, () => `${level}: ${reasons.join('; ') || 'running'}`);
  return healthCodes[level];
}

function describeState(state: DaemonState, nowMs: number, fullDisk: string | undefined): object {
  const uptimeMs = Math.max(0, nowMs - Date.parse(state.startedAt));
  return { ...state, problem: problemOf(state, fullDisk), isolates: isolates(state), uptimeMs };
}

function problemOf(state: DaemonState | undefined, fullDisk: string | undefined): string | null {
  const problems = state === undefined ? [] : listProblems(state);
  return [...problems, ...(fullDisk === undefined ? [] : [fullDisk])].join('; ') || null;
}

/** Null while it starts. */
function isolates(state: DaemonState): boolean | null {
  return state.runtime === null ? null : isolatesAgents(state);
}

/**
 * The facts that it has written about itself may be older than what holds it up. Undefined where it cannot be asked
 * yet.
 */
async function asksBack(
  { config }: CommandContext,
  state: DaemonState | undefined,
): Promise<boolean | undefined> {
  if (state?.phase !== 'ready') return undefined;
  return await isAnswering(config.paths.socket, answerWithinMs);
}

function describeDaemon(
  kind: string,
  state: DaemonState | undefined,
  answers: boolean | undefined,
): string {
  if (kind === 'absent') return 'not running; `berth start --detach` starts it';
  if (state === undefined) return 'starting';
  const { phase, pid, version } = state;
  if (answers === false)
    return `does not answer (pid ${pid}); if that goes on: \`kill -9 ${pid}\`, then \`berth start --detach\` (nothing is lost)`;
  return `${phase === 'ready' ? 'running' : phase}, pid ${pid}, version ${version}`;
}

function describeLoopDelay(delay: DaemonState['loopDelay']): string | undefined {
  if (delay === null) return undefined;
  return `held for ${delay.longestMs} ms at the most; 99 of 100 waits when it was last busy under ${delay.p99Ms} ms`;
}

type Field = readonly [name: string, value: string | undefined];

function fieldsOf(state: DaemonState, nowMs: number, zone: InstallTimeZone): readonly Field[] {
  const channels = Object.entries(state.channels).map(
    ([id, how]) => `${id} (${describeChannel(how, state.channelErrors[id])})`,
  );
  const isolation = isolates(state) === true ? 'isolates agents' : 'isolates nothing';
  const { unverified } = state;
  const doubt = unverified === null ? '' : ` (by the engine's word alone: ${unverified})`;
  return [
    ['uptime', describeUptime(state, nowMs, zone.name)],
    ['time zone', zone.name],
    ['runtime', state.runtime === null ? undefined : `${state.runtime}, ${isolation}${doubt}`],
    ['remark', [state.activity, zone.remark].filter((one) => one !== null).join(' ') || undefined],
    ...state.remarks.map((remark): Field => ['remark', remark]),
    ['channels', channels.join(', ') || 'none'],
    ['settings', describeSettings(state)],
    ['event loop', describeLoopDelay(state.loopDelay)],
  ];
}

/** Those that somebody has set, but for the home. Undefined: none. */
function describeSettings({ settings }: DaemonState): string | undefined {
  const set = Object.entries(settings ?? {}).filter(
    ([name, { source }]) => source !== 'default' && name !== 'BERTH_HOME',
  );
  return (
    set.map(([name, { value, source }]) => `${name}=${value ?? ''} (${source})`).join(', ') ||
    undefined
  );
}

/** A channel that failed says why by itself. */
function describeChannel(how: string, lastError: string | undefined): string {
  return lastError === undefined || how === lastError ? how : `${how}; last error: ${lastError}`;
}

/** While no daemon runs: what the next one would go by. */
function fieldsOfZone({ name, remark }: InstallTimeZone): readonly Field[] {
  return [
    ['time zone', name],
    ['remark', remark ?? undefined],
  ];
}

/** `2h 5m, since 2026-01-31 09:00`; a clock that was wrong at the start is left out. */
function describeUptime({ startedAt }: DaemonState, nowMs: number, timeZone: string): string {
  const upMs = nowMs - Date.parse(startedAt);
  const since = upMs < 0 ? '' : `, since ${describeZoned(startedAt, timeZone)}`;
  return `${describeDuration(upMs)}${since}`;
}

function fieldsOfCounts(counts: Counts): readonly Field[] {
  return [
    ['sessions', `${counts.activeSessions} active`],
    ['containers', describeContainers(counts)],
    ['due', `${counts.due} (work whose time has come)`],
    ['dead letters', `${counts.deadLetters}`],
  ];
}

/** Of central.db. Late where it is two days old: a day may pass without a daemon. */
function describeBackup(backup: Backup | undefined, nowMs: number): string | undefined {
  if (backup === undefined) return undefined;
  const ageMs = nowMs - backup.madeAtMs;
  const late = ageMs > 2 * backupEveryMs ? '; one is made every day while the daemon runs' : '';
  return `the newest is ${describeDuration(Math.max(0, ageMs))} old${late}`;
}

function describeContainers({ runningContainers, maxContainers, waitingSessions }: Counts): string {
  const who = waitingSessions === 1 ? 'session waits' : 'sessions wait';
  const waiting = waitingSessions === 0 ? '' : `, ${waitingSessions} ${who} for one`;
  return `${runningContainers} running of ${maxContainers} at the most${waiting}`;
}

/** Undefined while the database is of another version than this program: the daemon's own word is shown all the same. */
function count(context: CommandContext, state: DaemonState | undefined): Counts | undefined {
  try {
    return readStore(context, (store) => ({
      activeSessions: store.sessions.countByStatus('active'),
      runningContainers: store.sessions.countByContainerStatus('running'),
      waitingSessions: store.sessions.countWaiting(isoAt(context.clock.now())),
      maxContainers: Number(
        state?.settings?.['BERTH_MAX_CONTAINERS']?.value ?? context.config.maxContainers,
      ),
      due: store.dueItems.countDue(isoAt(context.clock.now())),
      deadLetters: store.deadLetters.count(),
    }));
  } catch (error) {
    if (hasCode(error, 'migration_refused')) return undefined;
    throw error;
  }
}
