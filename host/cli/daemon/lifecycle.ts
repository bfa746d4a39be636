import { Option } from 'commander';
import { BerthError } from '../../../shared/base/errors.js';
import { Deadline, delay } from '../../../shared/base/lifecycle.js';
import {
  assertSettings,
  type AddCommands,
  type CommandContext,
} from '../command/command-context.js';
import { findDaemon } from '../command/daemon-presence.js';
import { endDaemon } from './end-daemon.js';
import { ensureDaemon } from './ensure-daemon.js';
import { describeOtherProgram } from './home-remarks.js';
import { describeReady, listProblems } from './ready-words.js';

/** How long a supervisor may take to start the daemon again. */
const supervisorMs = 20_000;
const pollIntervalMs = 50;

export const addLifecycleCommands: AddCommands = (program, act) => {
  program
    .command('start')
    .description('run the daemon, in the foreground unless --detach')
    .option('--detach', 'return when it is ready')
    .addOption(new Option('--detached', 'this is the one that was detached').hideHelp())
    .action(act(start));
  program.command('stop').description('end the daemon and its containers').action(act(stop));
  program
    .command('restart')
    .description('end the daemon and start it again; containers go on')
    .action(act(restart));
};

async function start(
  context: CommandContext,
  { detach, detached }: { readonly detach?: boolean; readonly detached?: boolean },
): Promise<number> {
  if (detach !== true) assertSettings(context);
  if (detached !== true) tellNotes(context);
  if (detach === true) {
    await startDetached(context);
    return 0;
  }
  const { runDaemon } = await import('./run-daemon.js');
  return await runDaemon(context, { isDetached: detached === true });
}

/** Exit code 1 where something goes on. */
async function stop(context: CommandContext): Promise<number> {
  const { wasRunning, leftRunning } = await endDaemon(context, 'stop');
  context.output.result({ wasRunning, leftRunning }, () => describeEnd(wasRunning, leftRunning));
  return leftRunning.length === 0 ? 0 : 1;
}

function describeEnd(wasRunning: boolean, leftRunning: readonly string[]): string {
  if (!wasRunning) return 'The daemon was not running.';
  if (leftRunning.length === 0) return 'The daemon has stopped.';
  return [
    'The daemon has stopped, but could not end the containers of these sessions:',
    ...leftRunning.map((id) => `  ${id}`),
    'They may go on; `berth logs` says why. The next start takes them over.',
  ].join('\n');
}

async function restart(context: CommandContext): Promise<void> {
  assertSettings(context);
  tellNotes(context);
  const before = findDaemon(context.config.paths);
  const supervisor = before.kind === 'present' ? before.state.supervisor : null;
  const { wasRunning } = await endDaemon(context, 'keep');
  if (!wasRunning) context.output.note('The daemon was not running.');
  if (supervisor !== null) await awaitSupervisor(context, supervisor);
  await startDetached(context);
}

/** A second daemon beside the one that the supervisor starts would keep that from starting. Throws daemon_failed. */
async function awaitSupervisor({ config, output }: CommandContext, name: string): Promise<void> {
  output.note(`The daemon has ended; ${name} starts it again.`);
  const deadline = new Deadline(supervisorMs);
  while (findDaemon(config.paths).kind === 'absent') {
    if (deadline.remainingMs() === 0) {
      throw new BerthError('daemon_failed', `It was not started again: ${name} lets it rest.`, {
        next: `Start it there, and have ${name} start it again whenever it ends (for systemd: Restart=always).`,
      });
    }
    await delay(pollIntervalMs);
  }
}

function tellNotes({ notes, output }: CommandContext): void {
  for (const note of notes) output.note(note);
}

async function startDetached(context: CommandContext): Promise<void> {
  const { output, config } = context;
  const said = new Set<string | null>();
  const { state, wasRunning } = await ensureDaemon(context, (line) => {
    said.add(line);
    output.note(line);
  });
  const { socket } = config.paths;
  const problems = listProblems(state);
  const remark = said.has(state.activity) ? null : state.activity;
  output.result({ wasRunning, ...state, problems, socket }, () =>
    wasRunning
      ? [`The daemon runs already (pid ${state.pid}).`, ...problems].join('\n')
      : describeReady({ ...state, remark, problems, socket }),
  );
  const other = describeOtherProgram(state, config.program.root);
  if (other !== undefined) output.note(other);
}
