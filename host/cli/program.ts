/** The command line: what there is to type, and what becomes of what was typed. */
import { Command, CommanderError } from 'commander';
import { systemClock } from '../../shared/base/clock.js';
import { BerthError, toBerthError } from '../../shared/base/errors.js';
import { newId } from '../../shared/base/ids.js';
import { loadConfig, programVersion, surveySettings } from '../config/config.js';
import { addAgentGroupCommands } from './nouns/agent-groups.js';
import { addChatCommand } from './chat/chat-command.js';
import {
  WrongValue,
  type Act,
  type AddCommands,
  type CommandContext,
  type Inspect,
} from './command/command-context.js';
import { addConfigCommand } from './daemon/config.js';
import { addDeadLetterCommands } from './nouns/dead-letters.js';
import { addDestinationCommands } from './nouns/destinations.js';
import { assertHomeReadable } from './command/home-access.js';
import { addImageCommands } from './daemon/image.js';
import { addLifecycleCommands } from './daemon/lifecycle.js';
import { addLogsCommand } from './daemon/logs.js';
import { addMessagingGroupCommands } from './nouns/messaging-groups.js';
import { addMigrateCommand } from './daemon/migrate.js';
import type { ProcessEdge } from './command/process-edge.js';
import { addSessionCommands } from './nouns/sessions.js';
import { addGlobalOptions, readSettingFlags, type GlobalOptions } from './command/setting-flags.js';
import { addStatusCommand } from './daemon/status.js';
import { addTaskCommands } from './nouns/tasks.js';
import { columnsOf, TerminalOutput } from './output/terminal-output.js';
import { addWiringCommands } from './nouns/wirings.js';

const nouns: readonly AddCommands[] = [
  addChatCommand,
  addLifecycleCommands,
  addStatusCommand,
  addLogsCommand,
  addAgentGroupCommands,
  addMessagingGroupCommands,
  addWiringCommands,
  addDestinationCommands,
  addSessionCommands,
  addDeadLetterCommands,
  addTaskCommands,
  addImageCommands,
  addMigrateCommand,
  addConfigCommand,
];

/** Returns the exit code: 0 done, 1 failed, 2 wrong usage. Never throws. */
export async function runProgram(edge: ProcessEdge): Promise<number> {
  const program = new Command('berth');
  const isJson = (): boolean => program.opts<GlobalOptions>().json === true;
  const output = new TerminalOutput({ ...edge, isJson });
  output.start();
  let exitCode = 0;
  const act: Act =
    (work) =>
    async (...args) => {
      const context = makeContext(program, edge, output);
      const code = await work(context, ...args);
      if (typeof code === 'number') exitCode = code;
      if (context.unusable !== undefined) tellUnusable(context.unusable, output);
    };
  const inspect: Inspect = (work) => () => {
    const flags = readSettingFlags(program.opts<GlobalOptions>());
    exitCode = work({ ...surveySettings(flags), output });
  };
  try {
    describeProgram(program, edge, isJson);
    for (const addCommands of nouns) addCommands(program, act, inspect);
    if (edge.argv.length === 0) program.outputHelp();
    else await program.parseAsync(edge.argv, { from: 'user' });
  } catch (error) {
    exitCode = report(error, output, commandOf(program, edge.argv));
  }
  await output.flush();
  if (output.unwritten === undefined) return exitCode;
  output.failure(output.unwritten);
  await output.flush();
  return 1;
}

/** Before any command is added: they take over what is said here. */
function describeProgram(program: Command, edge: ProcessEdge, isJson: () => boolean): void {
  program
    .description('Gives every conversation its own agent container.')
    .version(programVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'say what there is')
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 30 })
    .exitOverride()
    .configureOutput({
      getOutHelpWidth: () => columnsOf(edge.stdout),
      getErrHelpWidth: () => columnsOf(edge.stderr),
      writeOut: (text) => edge.stdout.write(text),
      writeErr: (text) => (isJson() ? true : edge.stderr.write(text)),
      outputError: () => undefined,
    });
  addGlobalOptions(program);
}

function makeContext(program: Command, edge: ProcessEdge, output: TerminalOutput): CommandContext {
  const flags = readSettingFlags(program.opts<GlobalOptions>());
  let unusable: BerthError | undefined;
  const { config, settings, notes, homeNotes } = loadConfig(flags, (error) => {
    unusable ??= error;
  });
  assertHomeReadable(config.paths);
  return {
    config,
    settings,
    notes,
    homeNotes,
    unusable,
    flags,
    version: programVersion(),
    output,
    edge,
    clock: systemClock,
    newId,
  };
}

function tellUnusable({ message, next }: BerthError, output: TerminalOutput): void {
  output.note(`${message} The next start will be refused. ${next ?? ''}`.trimEnd());
}

function report(error: unknown, output: TerminalOutput, command: string): number {
  if (!(error instanceof CommanderError)) {
    output.failure(hasLostFolder(error) ? folderIsGone(error) : toBerthError(error));
    return error instanceof WrongValue ? 2 : 1;
  }
  if (error.exitCode === 0) return 0;
  const next = `See \`${command} --help\`.`;
  if (error.code !== 'commander.help') {
    output.failure({ code: 'usage', message: error.message.replace(/^error: /, ''), next });
  } else if (output.isJson) {
    output.failure({ code: 'usage', message: 'The command is not complete.', next });
  }
  return 2;
}

/** What process.cwd() throws in a folder that was deleted. */
function hasLostFolder(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd';
}

function folderIsGone(cause: unknown): BerthError {
  return new BerthError('io_failed', 'The folder that the command was started in is gone.', {
    next: 'Change into another folder, or name the home by its whole path.',
    cause,
  });
}

/** The command that was meant, as far as it can be told: `berth wirings create`. */
function commandOf(program: Command, argv: readonly string[]): string {
  const names = [program.name()];
  let commands = program.commands;
  for (const word of argv) {
    const found = commands.find((command) => command.name() === word);
    if (found === undefined) continue;
    names.push(word);
    commands = found.commands;
  }
  return names.join(' ');
}
