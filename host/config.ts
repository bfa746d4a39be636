/** The only reader of the environment: flags over environment over BERTH_HOME/.env over defaults. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import { BerthError } from '../shared/base/errors.js';

export type RuntimeChoice = 'auto' | 'docker' | 'process';

/** Where things lie below BERTH_HOME. */
export interface HomePaths {
  readonly home: string;
  readonly groupsDir: string;
  readonly dataDir: string;
  readonly centralDb: string;
  readonly backupsDir: string;
  readonly sessionsDir: string;
  readonly logsDir: string;
  readonly processesDir: string;
  readonly socket: string;
  readonly lock: string;
  readonly installIdFile: string;
}

/** Where the program's own files lie. */
export interface ProgramPaths {
  readonly root: string;
  readonly migrationsDir: string;
  readonly shippedGroupsDir: string;
  readonly agentImageDir: string;
}

export interface Config {
  readonly paths: HomePaths;
  readonly program: ProgramPaths;
  readonly runtime: RuntimeChoice;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly provider: string;
  readonly dockerHost: string | undefined;
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
  /** PATH: what processes of the process runtime find. */
  readonly executablePath: string;
}

/** One setting as `berth config` lists it. */
export interface SettingValue {
  readonly name: SettingName;
  readonly value: string | null;
  readonly source: 'flag' | 'environment' | '.env' | 'default';
  readonly about: string;
}

/** Up to a day: a timer that is told to wait longer than 24 days does not wait at all. */
const milliseconds = z.coerce.number().int().min(1).max(86_400_000);

const settings = {
  BERTH_HOME: {
    about: 'Where groups/ and data/ lie',
    schema: z.string().min(1),
    fallback: undefined,
  },
  BERTH_RUNTIME: {
    about: 'What runs agents: auto, docker or process (no isolation)',
    schema: z.enum(['auto', 'docker', 'process']),
    fallback: 'auto',
  },
  BERTH_LOG_LEVEL: {
    about: 'debug, info, warn or error',
    schema: z.enum(['debug', 'info', 'warn', 'error']),
    fallback: 'info',
  },
  BERTH_PROVIDER: {
    about: 'What thinks in agent groups that name no provider',
    schema: z.string().min(1),
    fallback: 'echo',
  },
  DOCKER_HOST: {
    about: 'Where the container engine listens (unix:// or tcp://)',
    schema: z.string().min(1),
    fallback: undefined,
  },
  BERTH_BASE_IMAGE: {
    about: 'What the agent image is built on, instead of the pinned Node image',
    schema: z.string().min(1),
    fallback: undefined,
  },
  BERTH_ENGINE_TIMEOUT_MS: {
    about: 'How long one call to the engine may take',
    schema: milliseconds,
    fallback: '10000',
  },
  BERTH_STOP_TIMEOUT_MS: {
    about: 'How long a stop may take in all',
    schema: milliseconds,
    fallback: '15000',
  },
  BERTH_POLL_INTERVAL_MS: {
    about: 'How often to look where a file event was lost',
    schema: milliseconds,
    fallback: '2000',
  },
  BERTH_ALLOW_UNISOLATED: {
    about: 'Providers that run tools and may do so without a container, separated by commas',
    schema: z.string(),
    fallback: '',
  },
  BERTH_MAX_CONTAINERS: {
    about: 'How many containers may run at once',
    schema: z.coerce.number().int().min(1).max(10_000),
    fallback: String(defaultMaxContainers()),
  },
  BERTH_MEMORY_BUDGET_MB: {
    about: 'What the memory limits of running containers may add up to',
    schema: z.coerce.number().int().min(64),
    fallback: String(defaultMemoryBudgetMb()),
  },
  BERTH_TIME_ZONE: {
    about: 'Where schedules without a time zone of their own are told (Europe/Berlin)',
    schema: z.string().refine(isTimeZone, 'there is no such time zone'),
    fallback: Intl.DateTimeFormat().resolvedOptions().timeZone,
  },
} as const;

/** Three quarters of the memory: the rest is for the host. */
function defaultMemoryBudgetMb(): number {
  return Math.floor((totalmem() / 2 ** 20) * 0.75);
}

/** Agents mostly wait for a model: a core serves ten. Fewer where memory would not do for a gigabyte each. */
function defaultMaxContainers(): number {
  const byMemory = Math.floor(defaultMemoryBudgetMb() / 1_024);
  return Math.max(2, Math.min(availableParallelism() * 10, byMemory));
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

export type SettingName = keyof typeof settings;

/** Flags that were given on the command line. */
export type SettingFlags = Partial<Record<SettingName, string>>;

export interface LoadedConfig {
  readonly config: Config;
  readonly settings: readonly SettingValue[];
}

/** Throws config_invalid, naming the setting, where it came from and what it may be. */
export function loadConfig(flags: SettingFlags = {}): LoadedConfig {
  return resolveConfig(flags, process.env);
}

export function resolveConfig(
  flags: SettingFlags,
  environment: Readonly<Record<string, string | undefined>>,
): LoadedConfig {
  const program = programPaths();
  const home = resolve(flags.BERTH_HOME ?? nonEmpty(environment['BERTH_HOME']) ?? program.root);
  const dotEnv = readDotEnv(home);
  const values = Object.fromEntries(
    settingNames().map((name) => {
      // The home says where .env lies, and not the other way round.
      const file = name === 'BERTH_HOME' ? {} : dotEnv;
      return [name, pick(name, flags, environment, file)];
    }),
  ) as Record<SettingName, SettingValue>;
  const read = <N extends SettingName>(
    name: N,
  ): z.infer<(typeof settings)[N]['schema']> | undefined => parseSetting(name, values[name]);
  /** For settings with a default. */
  const get = <N extends SettingName>(name: N): z.infer<(typeof settings)[N]['schema']> => {
    const value = read(name);
    if (value === undefined) throw new BerthError('config_invalid', `${name} is not set.`);
    return value;
  };
  read('BERTH_HOME');
  const config: Config = Object.freeze({
    paths: homePaths(home),
    program,
    runtime: get('BERTH_RUNTIME'),
    logLevel: get('BERTH_LOG_LEVEL'),
    provider: get('BERTH_PROVIDER'),
    dockerHost: read('DOCKER_HOST'),
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
    timeZone: get('BERTH_TIME_ZONE'),
    executablePath: environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
  });
  const listed = settingNames().map((name) =>
    name === 'BERTH_HOME' ? { ...values[name], value: home } : values[name],
  );
  return { config, settings: listed };
}

function settingNames(): readonly SettingName[] {
  return Object.keys(settings) as SettingName[];
}

/** An empty variable counts as not set, as in most programs. */
function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function pick(
  name: SettingName,
  flags: SettingFlags,
  environment: Readonly<Record<string, string | undefined>>,
  dotEnv: Readonly<Record<string, string | undefined>>,
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

function parseSetting<N extends SettingName>(
  name: N,
  setting: SettingValue,
): z.infer<(typeof settings)[N]['schema']> | undefined {
  if (setting.value === null) return undefined;
  const schema: z.ZodType = settings[name].schema;
  const result = schema.safeParse(setting.value);
  if (!result.success) {
    const why = result.error.issues.map((issue) => issue.message).join('; ');
    throw new BerthError('config_invalid', `${name} (${setting.source}) cannot be used: ${why}.`, {
      next: `Correct ${name}; \`berth config\` lists every setting.`,
    });
  }
  return result.data as z.infer<(typeof settings)[N]['schema']>;
}

function readDotEnv(home: string): Readonly<Record<string, string | undefined>> {
  const path = join(home, '.env');
  if (!existsSync(path)) return {};
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new BerthError('config_invalid', `${path} cannot be read.`, {
      next: 'Correct the file or take it away.',
      cause: error,
    });
  }
}

function homePaths(home: string): HomePaths {
  const dataDir = join(home, 'data');
  return {
    home,
    groupsDir: join(home, 'groups'),
    dataDir,
    centralDb: join(dataDir, 'central.db'),
    backupsDir: join(dataDir, 'backups'),
    sessionsDir: join(dataDir, 'sessions'),
    logsDir: join(dataDir, 'logs'),
    processesDir: join(dataDir, 'processes'),
    socket: join(dataDir, 'terminal.sock'),
    lock: join(dataDir, 'daemon.lock'),
    installIdFile: join(dataDir, 'install-id'),
  };
}

/** The program runs from its sources (host/config.ts) or built (dist/host/config.js): the root holds package.json. */
function programPaths(): ProgramPaths {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, 'package.json'))) root = dirname(root);
  return {
    root,
    migrationsDir: join(root, 'migrations'),
    shippedGroupsDir: join(root, 'groups'),
    agentImageDir: join(root, 'dist', 'agent-image'),
  };
}

/** The version in package.json. */
export function programVersion(): string {
  const json = readFileSync(join(programPaths().root, 'package.json'), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(json)).version;
}
