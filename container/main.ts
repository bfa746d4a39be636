/** The process edge of the runner: environment, settings, signals, exit code. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemClock } from '../shared/base/clock.js';
import { BerthError } from '../shared/base/errors.js';
import { newId } from '../shared/base/ids.js';
import { createLogger, type Logger, type LogLevel } from '../shared/base/logger.js';
import { readMigrations } from '../shared/base/sqlite/migrate.js';
import { isProviderName } from '../shared/protocol/provider-table.js';
import { runnerConfigSchema, type RunnerConfig } from '../shared/protocol/runner-config.js';
import {
  containerWorkspace,
  runnerConfigPath,
  workspaceVariables,
  type Workspace,
} from '../shared/protocol/workspace.js';
import { builtinProviders, noProvider } from './providers/builtin-providers.js';
import type { Provider, ProviderContext } from './providers/provider.js';
import { Runner } from './runner.js';

/** How long a turn may take to end once the runner was told to leave, in milliseconds. */
const stopGraceMs = 1_000;
const writePatienceMs = 60_000;
const pruneQuietMs = 5_000;

/** The host reads what is written here as another user, whatever umask the image or the daemon's service has. */
const umask = 0o022;

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

async function main(): Promise<void> {
  process.umask(umask);
  const { env } = process;
  const level = logLevels.find((name) => name === env['BERTH_LOG_LEVEL']) ?? 'info';
  // A log that cannot be written, as on a full disk, is no reason to stop working.
  process.stdout.on('error', () => undefined);
  const log = createLogger(level, { write: (line) => process.stdout.write(line) });
  try {
    const workspace = readWorkspace(env);
    const config = loadRunnerConfig(runnerConfigPath(workspace.inDir));
    await run(workspace, config, log.child({ sessionId: config.sessionId }));
  } catch (err) {
    log.error({ err }, 'runner failed to start');
    process.exitCode = 1;
  }
}

async function run(workspace: Workspace, config: RunnerConfig, log: Logger): Promise<void> {
  const provider = await createProvider(config.provider, {
    workspace,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    exit: (code) => process.exit(code),
    clock: systemClock,
    log,
  });
  const runner = new Runner({
    workspace,
    config,
    migrations: readMigrations(findMigrations()),
    provider,
    clock: systemClock,
    newId,
    log,
    writePatienceMs,
    pruneQuietMs,
    onFatal: (err) => {
      log.error({ err }, 'runner cannot go on');
      process.exit(1);
    },
  });
  let isLeaving = false;
  const leave = (signal: NodeJS.Signals): void => {
    if (isLeaving) process.exit(1);
    isLeaving = true;
    log.info({ signal }, 'runner leaving');
    // A provider that hangs keeps the process alive: it is ended, not waited for.
    void runner.stop(stopGraceMs).finally(() => process.exit(0));
  };
  process.on('SIGTERM', leave);
  process.on('SIGINT', leave);
  // Only now: whoever sees it at work may end it.
  runner.start();
  log.info(
    {
      provider: config.provider.name,
      protocol: config.protocol,
      durationMs: Math.round(performance.now()),
    },
    'runner ready',
  );
}

function readWorkspace(env: NodeJS.ProcessEnv): Workspace {
  const folder = (name: keyof Workspace): string =>
    env[workspaceVariables[name]] ?? containerWorkspace[name];
  return {
    inDir: folder('inDir'),
    outDir: folder('outDir'),
    agentDir: folder('agentDir'),
    homeDir: folder('homeDir'),
  };
}

function loadRunnerConfig(path: string): RunnerConfig {
  try {
    return runnerConfigSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new BerthError('config_invalid', `The settings in ${path} cannot be used.`, {
      cause,
      next: 'Restart the session: the host writes them anew.',
    });
  }
}

async function createProvider(
  { name, options }: RunnerConfig['provider'],
  context: ProviderContext,
): Promise<Provider> {
  if (!isProviderName(name)) throw noProvider(name);
  return await builtinProviders[name](context, options);
}

/** Beside the bundle, or in the project when it is run from its sources. */
function findMigrations(): string {
  const folder = dirname(process.argv[1] ?? '');
  const bundled = join(folder, 'migrations', 'outbound');
  return existsSync(bundled) ? bundled : join(dirname(folder), 'migrations', 'outbound');
}

void main();
