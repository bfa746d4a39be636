import { InvalidArgumentError, Option, type Command } from 'commander';
import { runtimeNames } from '../../../shared/protocol/runtime-names.js';
import type { SettingFlags } from '../../config/config.js';
import type { CommandContext } from './command-context.js';

/** The flags that every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly home?: string;
  readonly runtime?: string;
  readonly logLevel?: string;
}

export function addGlobalOptions(program: Command): void {
  program
    .option('--json', 'say everything as JSON')
    .addOption(
      new Option('--home <folder>', 'where groups/ and data/ lie (BERTH_HOME)').argParser(
        parseFolder,
      ),
    )
    .addOption(
      new Option('--runtime <runtime>', 'what runs agents (BERTH_RUNTIME)').choices([
        'auto',
        ...runtimeNames,
      ]),
    )
    .addOption(
      new Option('--log-level <level>', 'how much is logged (BERTH_LOG_LEVEL)').choices([
        'debug',
        'info',
        'warn',
        'error',
      ]),
    );
}

function parseFolder(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}

export function readSettingFlags(options: GlobalOptions): SettingFlags {
  const { home, runtime, logLevel } = options;
  return {
    ...(home === undefined ? {} : { BERTH_HOME: home }),
    ...(runtime === undefined ? {} : { BERTH_RUNTIME: runtime }),
    ...(logLevel === undefined ? {} : { BERTH_LOG_LEVEL: logLevel }),
  };
}

/**
 * The same settings as arguments for a program that runs elsewhere: a home that was named, by its whole path. A home
 * that was not named is found again by the same rules, with the .env files that count for it.
 */
export function settingFlags({ config, flags }: CommandContext): readonly string[] {
  const { BERTH_RUNTIME: runtime, BERTH_LOG_LEVEL: logLevel } = flags;
  const isNamed = config.homeSource === 'flag' || config.homeSource === 'environment';
  return [
    ...(isNamed ? ['--home', config.paths.home] : []),
    ...(runtime === undefined ? [] : ['--runtime', runtime]),
    ...(logLevel === undefined ? [] : ['--log-level', logLevel]),
  ];
}
