import { CommanderError, type Command } from 'commander';
import type { Clock } from '../../../shared/base/clock.js';
import { BerthError, hasCode, type BerthErrorOptions } from '../../../shared/base/errors.js';
import type { NewId } from '../../../shared/base/ids.js';
import type { Config, SettingFlags, SettingValue } from '../../config/config.js';
import type { ProcessEdge } from './process-edge.js';
import type { TerminalOutput } from '../output/terminal-output.js';

/** Every command gets this. */
export interface CommandContext {
  readonly config: Config;
  readonly settings: readonly SettingValue[];
  /** Remarks: entries of .env that nobody reads, and what is to be known about the home. */
  readonly notes: readonly string[];
  /** Those of the notes that are about the home. */
  readonly homeNotes: readonly string[];
  /** The first setting that cannot be used: `config` has its default. See assertSettings. */
  readonly unusable: BerthError | undefined;
  /** The settings that were given on the command line. */
  readonly flags: SettingFlags;
  readonly version: string;
  readonly output: TerminalOutput;
  readonly edge: ProcessEdge;
  readonly clock: Clock;
  readonly newId: NewId;
}

/** Makes a command's work into commander's action. A number that the work returns is the exit code. */
export type Act = <Args extends unknown[]>(
  work: (context: CommandContext, ...args: Args) => unknown,
) => (...args: Args) => Promise<void>;

/** Adds one noun's commands. `inspect` is for those that work where a setting cannot be used. */
export type AddCommands = (program: Command, act: Act, inspect: Inspect) => void;

/** A command that works even so gets this. */
export type Inspection = Pick<CommandContext, 'settings' | 'notes' | 'output'>;

export type Inspect = (work: (inspection: Inspection) => number) => () => Promise<void>;

/** For what a daemon is started with: its settings are meant. Throws config_invalid. */
export function assertSettings({ unusable }: Pick<CommandContext, 'unusable'>): void {
  if (unusable !== undefined) throw unusable;
}

/** The command line itself is wrong: exit code 2. */
export function usageError(message: string): CommanderError {
  return new CommanderError(2, 'berth.usage', message);
}

/** A value on the command line is not what it has to be: exit code 2. */
export class WrongValue extends BerthError {
  constructor(message: string, options: BerthErrorOptions = {}) {
    super('invalid_input', message, options);
  }
}

/** For values that are parsed elsewhere: what does not fit is the fault of who typed it. */
export function parseGiven<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!hasCode(error, 'invalid_input')) throw error;
    const { message, next, facts } = error;
    throw new WrongValue(message, {
      ...(next === undefined ? {} : { next }),
      cause: error,
      facts,
    });
  }
}
