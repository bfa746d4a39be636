/** Measures what a command costs before it does anything: its processor time beside that of Node itself. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mainScript } from '../../test/fakes/berth-home.js';
import { summarize } from '../statistics.js';
import { atMostFigure, plainFigure, type Figure } from './figure.js';

const rounds = 5;
/** The system counts in hundredths of a second. */
const runsPerRound = 4;

/** Needs a build. The two take turns: a machine is not as fast at all times. */
export function commandFigures(): readonly Figure[] {
  const bare: number[] = [];
  const version: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(cpuMsOfRuns('-e', '0'));
    version.push(cpuMsOfRuns(mainScript, '--version'));
  }
  const [ours, nodes] = [summarize(version).median, summarize(bare).median];
  return [
    atMostFigure('CPU of `berth --version` beside node', ours / nodes, 2.5),
    plainFigure('    in milliseconds', `${ours.toFixed(0)}/${nodes.toFixed(0)}`),
  ];
}

/** Of one run, in milliseconds. */
function cpuMsOfRuns(...args: readonly string[]): number {
  const before = endedChildrenCpuMs();
  for (let run = 0; run < runsPerRound; run += 1) {
    const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
    if (status !== 0) throw new Error(`node ${args.join(' ')} failed`);
  }
  return (endedChildrenCpuMs() - before) / runsPerRound;
}

/** Source: proc_pid_stat, fields 16 and 17, in clock ticks of 10 ms. */
function endedChildrenCpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}
