/** `npm run bench -- against <checkout>`: this build and an older one, in turns in one run, beside the floor. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Floor } from './floor.js';
import { treeCpuMs } from './process-tree.js';
import { timeInTurns, usingDaemons } from './side-by-side.js';
import { summarize, type Summary } from './statistics.js';
import type { Workbench } from './workbench.js';

const turns = 12;
const messagesPerTurn = 20;

export interface AgainstRow {
  readonly name: string;
  readonly spread: Summary;
  /** For one message: of the daemon and its children, without containers. Undefined for the floor. */
  readonly cpuMs: number | undefined;
}

/** Rows: this build, the older one, the floor. Throws where the checkout was not built. */
export async function measureAgainst(
  bench: Workbench,
  checkout: string,
): Promise<readonly AgainstRow[]> {
  const script = join(resolve(checkout), 'dist', 'host', 'main.js');
  if (!existsSync(script)) {
    throw new Error(`There is no build in ${checkout}. Run \`npm run build\` there first.`);
  }
  await using ours = bench.home();
  await using older = bench.home(script);
  await using floor = new Floor();
  await floor.start();
  return await usingDaemons([ours, older], async (sides) => {
    const pids = [await ours.pid(), await older.pid()];
    const cpuMs = pids.map(() => 0);
    const cpuOf = (pid: number | undefined): number => (pid === undefined ? 0 : treeCpuMs(pid));
    const times = await timeInTurns(
      [...sides, { chat: floor }],
      turns,
      messagesPerTurn,
      async (index, turn) => {
        const before = cpuOf(pids[index]);
        await turn();
        cpuMs[index] = (cpuMs[index] ?? 0) + cpuOf(pids[index]) - before;
      },
    );
    return ['this build', 'older build', 'floor'].map((name, index) => ({
      name,
      spread: summarize(times[index] ?? []),
      cpuMs:
        pids[index] === undefined ? undefined : (cpuMs[index] ?? 0) / (turns * messagesPerTurn),
    }));
  });
}

/** A table of at most 80 columns, and the ratios that are to be reached. */
export function renderAgainst(rows: readonly AgainstRow[]): string {
  const header = ['', 'median ms', 'p95 ms', 'p99 ms', 'CPU ms', 'n'];
  const body = rows.map(({ name, spread, cpuMs }) => [
    name,
    spread.median.toFixed(2),
    spread.p95.toFixed(2),
    spread.p99.toFixed(2),
    cpuMs?.toFixed(2) ?? '',
    String(spread.count),
  ]);
  const lines = [header, ...body].map(([name = '', ...cells]) =>
    [name.padEnd(14), ...cells.map((cell) => cell.padStart(11))].join(''),
  );
  return [...lines, ...ratioLines(rows), ''].join('\n');
}

function ratioLines([ours, older, floor]: readonly AgainstRow[]): readonly string[] {
  const ratio = (what: string, a: number | undefined, b: number | undefined, limit: number) => {
    const value = (a ?? Number.NaN) / (b ?? Number.NaN);
    const verdict = value <= limit ? 'reached' : 'NOT REACHED';
    return `${what.padEnd(34)}${value.toFixed(2).padStart(8)}   ≤ ${limit.toFixed(2)}   ${verdict}`;
  };
  return [
    ratio('median, this build / older', ours?.spread.median, older?.spread.median, 0.55),
    ratio('CPU of daemon and children', ours?.cpuMs, older?.cpuMs, 0.45),
    ratio('median, this build / floor', ours?.spread.median, floor?.spread.median, 2.8),
  ];
}
