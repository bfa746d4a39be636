import { Option } from 'commander';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../../shared/base/errors.js';
import { delay } from '../../../shared/base/lifecycle.js';
import type { AddCommands, CommandContext } from '../command/command-context.js';
import { findInstallZone } from '../command/install-time-zone.js';
import { formatLogLine, linesSince } from './log-lines.js';
import { LogTail } from './log-tail.js';
import { parseCount } from '../command/option-values.js';
import { getSession } from '../../operations/references.js';
import { readStore } from '../command/store-access.js';
import { parseSince } from '../command/time-words.js';

interface LogOptions {
  readonly follow?: boolean;
  readonly session?: string;
  readonly since?: string;
  readonly lines?: number;
}

const defaultLines = 200;
const pollIntervalMs = 200;

export const addLogsCommand: AddCommands = (program, act) => {
  program
    .command('logs')
    .description("print the daemon's log, or that of a session's container")
    .option('-f, --follow', 'go on with what is written from now on')
    .option('--session <session>', "that session's container")
    .option('--since <time>', 'from then on, also from older files: 10m, 2h, 1d or a time')
    .addOption(
      new Option(
        '-n, --lines <n>',
        `the last ones (${defaultLines} unless --since is given)`,
      ).argParser(parseCount),
    )
    .action(act(logs));
};

async function logs(context: CommandContext, options: LogOptions): Promise<void> {
  const { output, edge, clock } = context;
  const path = logPath(context, options.session);
  const tail = new LogTail(path);
  const print = (lines: readonly string[]): void => {
    for (const line of lines) output.line(output.isJson ? line : formatLogLine(line));
  };
  try {
    const lines = [...(await tail.read())];
    if (tail.partial !== '' && options.follow !== true) lines.push(tail.partial);
    if (options.since === undefined) {
      print(lines.slice(-(options.lines ?? defaultLines)));
    } else {
      const all = [...(await readRotated(path)), ...lines];
      const newer = linesSince(
        all,
        parseSince(options.since, clock.now(), findInstallZone(context).name),
      );
      print(newer.slice(-(options.lines ?? newer.length)));
    }
    if (options.follow === true) {
      const stopping = new AbortController();
      edge.onStopRequest(() => {
        stopping.abort();
      });
      await follow(tail, print, AbortSignal.any([stopping.signal, output.closed]));
    } else if (lines.length === 0) {
      output.note('Nothing was logged yet.');
    }
  } finally {
    await tail.close();
  }
}

function logPath(context: CommandContext, session: string | undefined): string {
  const { logsDir } = context.config.paths;
  if (session === undefined) return join(logsDir, 'daemon.log');
  const { id } = readStore(context, (store) => getSession(store, session));
  return join(logsDir, 'sessions', `${id}.log`);
}

async function follow(
  tail: LogTail,
  print: (lines: readonly string[]) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await delay(pollIntervalMs, signal);
    print(await tail.read());
  }
}

/** The lines of the files that were rotated, the oldest first: `x.log.2`, `x.log.1`. */
async function readRotated(path: string): Promise<readonly string[]> {
  const prefix = `${basename(path)}.`;
  const ages = (await listFolder(dirname(path)))
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter((age) => Number.isInteger(age))
    .sort((a, b) => b - a);
  const texts = await Promise.all(ages.map((age) => readFile(`${path}.${age}`, 'utf8')));
  return texts.flatMap((text) => text.split('\n').filter((line) => line !== ''));
}

async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
