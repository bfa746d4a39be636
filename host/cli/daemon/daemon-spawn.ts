import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError, toBerthError } from '../../../shared/base/errors.js';
import { assertSocketPath } from '../../channels/terminal/terminal-protocol.js';
import type { CommandContext } from '../command/command-context.js';
import { makeFolder } from '../command/home-access.js';
import { settingFlags } from '../command/setting-flags.js';

export interface SpawnedDaemon {
  readonly pid: number | undefined;
  /** Whether it has ended already. */
  hasEnded(): boolean;
  /** Why it did, as it said itself. */
  failure(): BerthError;
  /** It goes on without this process. */
  release(): void;
}

/** Starts this program once more as a daemon of its own. Lines that it prints before it ends go to daemon-start.log. */
export async function spawnDaemon(context: CommandContext): Promise<SpawnedDaemon> {
  const { config, edge } = context;
  const { home, logsDir, socket } = config.paths;
  assertSocketPath(socket);
  makeFolder(logsDir);
  const path = join(logsDir, 'daemon-start.log');
  // Appended, so that two starts at once do not write over each other.
  const { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } = constants;
  const output = openSync(path, O_APPEND | O_CREAT | O_TRUNC | O_WRONLY, 0o600);
  try {
    const args = [...edge.self.args, 'start', '--detached', '--json', ...settingFlags(context)];
    const child = spawn(edge.self.command, args, {
      cwd: home,
      detached: true,
      stdio: ['ignore', output, output],
    });
    let hasEnded = false;
    child.once('exit', () => (hasEnded = true));
    await once(child, 'spawn');
    return {
      pid: child.pid,
      hasEnded: () => hasEnded,
      failure: () => describeFailure(path, child.signalCode ?? child.exitCode),
      release: () => {
        child.unref();
      },
    };
  } catch (error) {
    throw new BerthError('daemon_failed', 'The daemon could not be started.', { cause: error });
  } finally {
    closeSync(output);
  }
}

const shownLines = 5;

/** As the program says it, else as Node does, else what was said last. `end`: the signal or the code that it ended with. */
function describeFailure(path: string, end: string | number | null): BerthError {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  const error = parseFailure(lines.at(-1) ?? '');
  const thrown = lines.find((line) => /^\w*Error\b.*: /.test(line));
  const words = error?.message ?? thrown ?? lines.slice(-shownLines).join('\n');
  if (words === '') return describeSilence(path, end);
  return new BerthError('daemon_failed', `The daemon did not start: ${words}`, {
    next: error?.next ?? `Look into ${path} and into \`berth logs\`.`,
  });
}

/** The output may not have fitted on the disk. */
function describeSilence(path: string, end: string | number | null): BerthError {
  const how = end === null ? '' : ` It ended with ${end}.`;
  try {
    appendFileSync(path, `The daemon said nothing.${how}\n`);
  } catch (cause) {
    const { message, next } = toBerthError(cause);
    const reason = `What it said could not be written: ${message}`;
    return new BerthError('daemon_failed', `The daemon did not start.${how} ${reason}`, {
      next: next ?? `Make ${path} writable, then try again.`,
      cause,
    });
  }
  return new BerthError('daemon_failed', `The daemon did not start, and said nothing.${how}`, {
    next: 'See whether the machine has memory and processes left for it (`ulimit -a`), then try again.',
  });
}

function parseFailure(line: string): { message: string; next: string | null } | undefined {
  try {
    const { error } = JSON.parse(line) as { error: { message: string; next: string | null } };
    return typeof error.message === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}
