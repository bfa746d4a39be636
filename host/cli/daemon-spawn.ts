import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../shared/base/errors.js';
import { assertSocketPath } from '../channels/terminal-protocol.js';
import type { CommandContext } from './command-context.js';
import { makeFolder } from './home-access.js';
import { settingFlags } from './setting-flags.js';

export interface SpawnedDaemon {
  readonly pid: number | undefined;
  /** Whether it has ended already. */
  hasEnded(): boolean;
  /** Why it did, as it said itself. */
  failure(): BerthError;
  /** It goes on without this process. */
  release(): void;
}

/** Starts this program once more as a daemon of its own. What it says before it ends goes to daemon-start.log. */
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
    const ended = once(child, 'exit').catch(() => undefined);
    let hasEnded = false;
    void ended.then(() => (hasEnded = true));
    await once(child, 'spawn');
    return {
      pid: child.pid,
      hasEnded: () => hasEnded,
      failure: () => describeFailure(path),
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

/** As the program says it, else as Node does, else what was said last. */
function describeFailure(path: string): BerthError {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  const error = parseFailure(lines.at(-1) ?? '');
  const thrown = lines.find((line) => /^\w*Error\b.*: /.test(line));
  const words = error?.message ?? thrown ?? lines.slice(-shownLines).join('\n');
  return new BerthError(
    'daemon_failed',
    `The daemon did not start: ${words || 'it said nothing.'}`,
    {
      next: error?.next ?? `Look into ${path} and into \`berth logs\`.`,
    },
  );
}

function parseFailure(line: string): { message: string; next: string | null } | undefined {
  try {
    const { error } = JSON.parse(line) as { error: { message: string; next: string | null } };
    return typeof error.message === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}
