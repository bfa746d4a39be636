/** The only reader of the environment: flags over environment over BERTH_HOME/.env over defaults. */
import { join } from 'node:path';
import type { z } from 'zod';
import { BerthError } from '../../shared/base/errors.js';
import { findMachineTimeZone, type MachineTimeZone } from '../../shared/base/machine-time-zone.js';
import { describeIssue } from '../../shared/protocol/plain-words.js';
import type { RuntimeName } from '../../shared/protocol/runtime-names.js';
import { nonEmpty, type Environment, type OnUnusable } from './dot-env.js';
import { findEngineSearch, type EngineSearch } from './engine-search.js';
import type { HomeChoice, HomeSource } from './home-choice.js';
import { findHome } from './home-finder.js';
import { programRoot } from './program.js';
import { settings } from './settings.js';
import { findSupervisor } from './supervisor.js';
import { homePaths, type HomePaths } from './home-paths.js';
import { readUnknownSends, type UnknownSendPolicy } from './unknown-sends.js';

/** The places of the program's own files. */
export interface ProgramPaths {
  readonly root: string;
  readonly migrationsDir: string;
  readonly shippedGroupsDir: string;
  readonly agentImageDir: string;
  /** The reader and backup processes and the thread for inbound.db files, one script each. */
  readonly workersDir: string;
}

/** `setting`: BERTH_TIME_ZONE. `variable`: TZ, which a shell may set for itself. `machine`: that of the machine. */
export interface TimeZoneOrigin {
  readonly kind: 'setting' | 'variable' | 'machine';
  /** A sentence where it is not the zone that the environment asks for. */
  readonly remark: string | null;
}

export interface Config {
  readonly paths: HomePaths;
  /** Tells what named the home. */
  readonly homeSource: HomeSource;
  readonly program: ProgramPaths;
  readonly runtime: 'auto' | RuntimeName;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly provider: string;
  readonly engineSearch: EngineSearch;
  readonly baseImage: string | undefined;
  readonly engineTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly pollIntervalMs: number;
  readonly unisolatedProviders: readonly string[];
  /** How many containers may run at once. */
  readonly maxContainers: number;
  /** How much memory the limits of all running containers may add up to, in MiB. */
  readonly memoryBudgetMb: number;
  /** IANA name. */
  readonly timeZone: string;
  readonly timeZoneOrigin: TimeZoneOrigin;
  /** The supervisor that starts this process again when it ends, and what it is called; null: nobody. */
  readonly supervisor: string | null;
  readonly safetyScanMs: number;
  readonly unknownSends: UnknownSendPolicy;
  /** PATH: what processes of the process runtime find. */
  readonly executablePath: string;
}

/** A setting as `berth config` lists it. */
export interface SettingValue {
  readonly name: SettingName;
  readonly value: string | null;
  readonly source: 'flag' | 'environment' | '.env' | 'default';
  readonly about: string;
  /** Why the value cannot be used. */
  readonly problem?: string;
}

export type SettingName = keyof typeof settings;

/** Flags that were given on the command line. */
export type SettingFlags = Partial<Record<SettingName, string>>;

export interface LoadedConfig {
  readonly config: Config;
  readonly settings: readonly SettingValue[];
  /** Remarks: entries of .env that nobody reads, and what is to be known about the home. */
  readonly notes: readonly string[];
  /** Those of the notes that are about the home. */
  readonly homeNotes: readonly string[];
}

/**
 * Throws config_invalid for a flag that cannot be used. For a setting from elsewhere `onUnusable` may let its default
 * be taken; without it, that throws too.
 */
export function loadConfig(flags: SettingFlags = {}, onUnusable?: OnUnusable): LoadedConfig {
  return resolveConfig(flags, process.env, onUnusable);
}

/** Every setting, also where some of them cannot be used. Throws config_invalid where .env cannot be read. */
export function surveySettings(flags: SettingFlags): Omit<LoadedConfig, 'config'> {
  const { settings, notes, choice } = gatherSettings(flags, process.env, rethrow, programPaths());
  return { settings, notes, homeNotes: choice.notes };
}

interface GatheredSettings {
  readonly choice: HomeChoice;
  readonly values: Readonly<Record<SettingName, SettingValue>>;
  readonly settings: readonly SettingValue[];
  readonly notes: readonly string[];
  readonly machineZone: MachineTimeZone;
}

function gatherSettings(
  flags: SettingFlags,
  environment: Environment,
  onUnusable: OnUnusable,
  program: ProgramPaths,
): GatheredSettings {
  const { choice, dotEnv } = findHome({
    flag: flags.BERTH_HOME,
    environment,
    programRoot: program.root,
    onUnusable,
  });
  const machineZone = findMachineTimeZone(environment['TZ']);
  const values = Object.fromEntries(
    settingNames().map((name) => {
      // The home says where .env lies, and not the other way round.
      const file = name === 'BERTH_HOME' ? {} : dotEnv.values;
      const picked = pick(name, flags, environment, file);
      const isUnset = name === 'BERTH_TIME_ZONE' && picked.value === null;
      return [name, isUnset ? { ...picked, value: machineZone.name } : picked];
    }),
  ) as Record<SettingName, SettingValue>;
  const listed = settingNames().map((name) => {
    const problem = checkSetting(name, values[name]).problem;
    const setting = problem === undefined ? values[name] : { ...values[name], problem };
    return name === 'BERTH_HOME' ? withHome(setting, choice) : setting;
  });
  const found = [...choice.notes, ...dotEnv.notes];
  return { choice, values, settings: listed, notes: found, machineZone };
}

function withHome(setting: SettingValue, { home, source, problem }: HomeChoice): SettingValue {
  if (setting.problem !== undefined) return setting;
  const found = { ...setting, value: home ?? null, source };
  return problem === undefined ? found : { ...found, problem };
}

export function resolveConfig(
  flags: SettingFlags,
  environment: Environment,
  onUnusable: OnUnusable = rethrow,
  program: ProgramPaths = programPaths(),
): LoadedConfig {
  const {
    choice,
    values,
    settings: listed,
    notes,
    machineZone,
  } = gatherSettings(flags, environment, onUnusable, program);
  const read = <N extends SettingName>(
    name: N,
  ): z.infer<(typeof settings)[N]['schema']> | undefined =>
    parseSetting(name, values[name], onUnusable);
  /** For settings with a default. */
  const get = <N extends SettingName>(name: N): z.infer<(typeof settings)[N]['schema']> => {
    const value = read(name);
    if (value === undefined) throw new BerthError('config_invalid', `${name} is not set.`);
    return value;
  };
  read('BERTH_HOME');
  const config: Config = Object.freeze({
    paths: homePaths(usableHome(choice, onUnusable)),
    homeSource: choice.source,
    program,
    runtime: get('BERTH_RUNTIME'),
    logLevel: get('BERTH_LOG_LEVEL'),
    provider: get('BERTH_PROVIDER'),
    engineSearch: findEngineSearch(read('DOCKER_HOST'), environment, process.getuid?.()),
    baseImage: read('BERTH_BASE_IMAGE'),
    engineTimeoutMs: get('BERTH_ENGINE_TIMEOUT_MS'),
    stopTimeoutMs: get('BERTH_STOP_TIMEOUT_MS'),
    pollIntervalMs: get('BERTH_POLL_INTERVAL_MS'),
    unisolatedProviders: get('BERTH_ALLOW_UNISOLATED')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
    maxContainers: get('BERTH_MAX_CONTAINERS'),
    memoryBudgetMb: get('BERTH_MEMORY_BUDGET_MB'),
    timeZone: read('BERTH_TIME_ZONE') ?? machineZone.name,
    timeZoneOrigin: originOf(values.BERTH_TIME_ZONE, machineZone, environment),
    supervisor: findSupervisor(environment, process.pid),
    safetyScanMs: get('BERTH_SAFETY_SCAN_MS'),
    unknownSends: readUnknownSends(get('BERTH_UNKNOWN_SENDS')),
    executablePath: environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
  });
  return { config, settings: listed, notes, homeNotes: choice.notes };
}

/** A home that is no place to stay may be read: a daemon may run there. Throws config_invalid where there is none. */
function usableHome({ home, source, problem }: HomeChoice, onUnusable: OnUnusable): string {
  if (problem === undefined && home !== undefined) return home;
  const error = new BerthError(
    'config_invalid',
    `BERTH_HOME (${source}) cannot be used: ${problem ?? 'it is not set'}.`,
    {
      next:
        home === undefined
          ? 'Set BERTH_HOME or HOME to the absolute path of a folder, or name one with --home.'
          : `Name a folder elsewhere with --home or BERTH_HOME. Where data lies there already, run \`berth stop\` and move data/, groups/ and .env to that folder first.`,
    },
  );
  if (home === undefined) throw error;
  onUnusable(error);
  return home;
}

function originOf(
  setting: SettingValue,
  { remark }: MachineTimeZone,
  environment: Environment,
): TimeZoneOrigin {
  const isUsable = checkSetting('BERTH_TIME_ZONE', setting).problem === undefined;
  if (setting.source !== 'default' && isUsable) return { kind: 'setting', remark: null };
  return { kind: environment['TZ'] === undefined ? 'machine' : 'variable', remark };
}

function settingNames(): readonly SettingName[] {
  return Object.keys(settings) as SettingName[];
}

function pick(
  name: SettingName,
  flags: SettingFlags,
  environment: Environment,
  dotEnv: Environment,
): SettingValue {
  const { about, fallback } = settings[name];
  const flag = flags[name];
  if (flag !== undefined) return { name, value: flag, source: 'flag', about };
  const fromEnvironment = nonEmpty(environment[name]);
  if (fromEnvironment !== undefined) {
    return { name, value: fromEnvironment, source: 'environment', about };
  }
  const fromFile = nonEmpty(dotEnv[name]);
  if (fromFile !== undefined) return { name, value: fromFile, source: '.env', about };
  return { name, value: fallback ?? null, source: 'default', about };
}

function rethrow(error: BerthError): never {
  throw error;
}

function parseSetting<N extends SettingName>(
  name: N,
  setting: SettingValue,
  onUnusable: OnUnusable,
): z.infer<(typeof settings)[N]['schema']> | undefined {
  const { value, problem } = checkSetting(name, setting);
  if (problem !== undefined) {
    const error = new BerthError(
      'config_invalid',
      `${name} (${setting.source}) cannot be used: ${problem}.`,
      { next: `Correct ${name}; \`berth config\` lists every setting.` },
    );
    if (setting.source === 'flag') throw error;
    onUnusable(error);
    return parseSetting(name, pick(name, {}, {}, {}), rethrow);
  }
  return value as z.infer<(typeof settings)[N]['schema']> | undefined;
}

function checkSetting(
  name: SettingName,
  setting: SettingValue,
): { readonly value?: unknown; readonly problem?: string } {
  if (setting.value === null) return {};
  const schema: z.ZodType = settings[name].schema;
  const result = schema.safeParse(setting.value);
  if (result.success) return { value: result.data };
  return { problem: result.error.issues.map(describeIssue).join('; ') };
}

function programPaths(): ProgramPaths {
  const root = programRoot();
  return {
    root,
    migrationsDir: join(root, 'migrations'),
    shippedGroupsDir: join(root, 'groups'),
    agentImageDir: join(root, 'dist', 'agent-image'),
    workersDir: join(root, 'dist', 'workers'),
  };
}
