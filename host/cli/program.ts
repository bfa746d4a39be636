/** The command line: what there is to type, and what becomes of what was typed. */
import { Command, CommanderError } from 'commander';
import { systemClock } from '../../shared/base/clock.js';
import { BerthError, toBerthError } from '../../shared/base/errors.js';
import { newId } from '../../shared/base/ids.js';
import { programVersion } from '../config/program.js';
import {
  WrongValue,
  type Act,
  type AddCommands,
  type CommandContext,
  type Inspect,
} from './command/command-context.js';
import { assertHomeReadable } from './command/home-access.js';
import type { ProcessEdge } from './command/process-edge.js';
import { addGlobalOptions, readSettingFlags, type GlobalOptions } from './command/setting-flags.js';
import { columnsOf, TerminalOutput } from './output/terminal-output.js';

/** Which commands a module adds, and the module: it is loaded for one of its commands, and for the list of all. */
interface CommandModule {
  readonly words: readonly string[];
  readonly load: () => Promise<AddCommands>;
}

/** In the order in which they are listed. */
const modules: readonly CommandModule[] = [
  {
    words: ['chat'],
    load: async () => (await import('./chat/chat-command.js')).addChatCommand,
  },
  {
    words: ['start', 'stop', 'restart'],
    load: async () => (await import('./daemon/lifecycle.js')).addLifecycleCommands,
  },
  {
    words: ['status'],
    load: async () => (await import('./daemon/status.js')).addStatusCommand,
  },
  {
    words: ['logs'],
    load: async () => (await import('./daemon/logs.js')).addLogsCommand,
  },
  {
    words: ['agent-groups'],
    load: async () => (await import('./nouns/agent-groups.js')).addAgentGroupCommands,
  },
  {
    words: ['messaging-groups'],
    load: async () => (await import('./nouns/messaging-groups.js')).addMessagingGroupCommands,
  },
  {
    words: ['wirings'],
    load: async () => (await import('./nouns/wirings.js')).addWiringCommands,
  },
  {
    words: ['channels'],
    load: async () => (await import('./nouns/channels.js')).addChannelCommands,
  },
  {
    words: ['destinations'],
    load: async () => (await import('./nouns/destinations.js')).addDestinationCommands,
  },
  {
    words: ['sessions'],
    load: async () => (await import('./nouns/sessions.js')).addSessionCommands,
  },
  {
    words: ['explain'],
    load: async () => (await import('./nouns/explain.js')).addExplainCommand,
  },
  {
    words: ['dead-letters'],
    load: async () => (await import('./nouns/dead-letters.js')).addDeadLetterCommands,
  },
  {
    words: ['tasks'],
    load: async () => (await import('./nouns/tasks.js')).addTaskCommands,
  },
  {
    words: ['image'],
    load: async () => (await import('./daemon/image.js')).addImageCommands,
  },
  {
    words: ['migrate'],
    load: async () => (await import('./daemon/migrate.js')).addMigrateCommand,
  },
  {
    words: ['config'],
    load: async () => (await import('./daemon/config.js')).addConfigCommand,
  },
];

/** Loads what this command line is about: every module where it names none, as for the list of all. */
async function loadCommands(
  program: Command,
  argv: readonly string[],
): Promise<readonly AddCommands[]> {
  const [word] = program.parseOptions([...argv]).operands;
  if (word === undefined && argv.includes('--version')) return [];
  const named = modules.filter(({ words }) => word !== undefined && words.includes(word));
  return Promise.all((named.length === 0 ? modules : named).map(({ load }) => load()));
}

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
      const context = await makeContext(program, edge, output);
      const code = await work(context, ...args);
      if (typeof code === 'number') exitCode = code;
      if (context.unusable !== undefined) tellUnusable(context.unusable, output);
    };
  const inspect: Inspect = (work) => async () => {
    const { surveySettings } = await import('../config/config.js');
    const flags = readSettingFlags(program.opts<GlobalOptions>());
    exitCode = work({ ...surveySettings(flags), output });
  };
  try {
    describeProgram(program, edge, isJson);
    const commands = await loadCommands(program, edge.argv);
    for (const addCommands of commands) addCommands(program, act, inspect);
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

async function makeContext(
  program: Command,
  edge: ProcessEdge,
  output: TerminalOutput,
): Promise<CommandContext> {
  const { loadConfig } = await import('../config/config.js');
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

/** Recognises what process.cwd() throws in a folder that was deleted. */
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
