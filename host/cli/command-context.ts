import { CommanderError, type Command } from 'commander';
import type { Clock } from '../../shared/base/clock.js';
import type { NewId } from '../../shared/base/ids.js';
import type { Config, SettingFlags, SettingValue } from '../config.js';
import type { ProcessEdge } from './process-edge.js';
import type { TerminalOutput } from './terminal-output.js';

/** What every command gets. */
export interface CommandContext {
  readonly config: Config;
  readonly settings: readonly SettingValue[];
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

/** Adds one noun's commands. */
export type AddCommands = (program: Command, act: Act) => void;

/** The command line itself is wrong: exit code 2. */
export function usageError(message: string): CommanderError {
  return new CommanderError(2, 'berth.usage', message);
}
