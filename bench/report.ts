/** bench/BENCHMARKS.md, as text: what was measured, how, on what, and whether it is what was to be reached. */
import { isReached, type Goal, type Measure, type Series } from './measure.js';
import type { Machine, Results, StoredResult } from './results.js';

export function renderReport(
  measures: readonly Measure[],
  { machine, measures: results }: Results,
): string {
  const sections = [
    '# Benchmarks',
    'Written by `npm run bench`; `npm run bench -- warm growth` measures only what is named, and leaves the other rows as they are. Everything is measured through the built command and the terminal’s socket, with the echo provider, in a temporary home. “Peer” is the public program of the same design (a polling host), measured with the same kind of agent on a machine of this kind.',
    renderMachine(machine),
    renderTable(measures, results),
    renderGrowth(results['growth']),
    renderMethods(measures, results),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function renderMachine({ cpu, cores, memoryGb, kernel, engine, node }: Machine): string {
  return `Machine: ${cpu}, ${cores} cores, ${memoryGb} GB; ${kernel}; ${engine}; Node ${node}.`;
}

function renderTable(measures: readonly Measure[], results: Results['measures']): string {
  const header = ['measure', 'median', 'p95', 'p99', 'n', 'to reach', 'reached', 'peer', 'on'];
  const rows = measures.map((measure) => cellsOf(measure, results[measure.name]));
  return [header, header.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function cellsOf({ title, target, peer }: Measure, result: StoredResult | undefined): string[] {
  const spread = result?.kind === 'measured' ? result.spread : undefined;
  const figures =
    spread === undefined
      ? ['', '', '', '']
      : [
          ...[spread.median, spread.p95, spread.p99].map((value) => `${formatNumber(value)} ms`),
          String(spread.count),
        ];
  return [
    title,
    ...figures,
    target,
    describeOutcome(result),
    peer ?? '—',
    result?.measuredOn ?? '',
  ];
}

function describeOutcome(result: StoredResult | undefined): string {
  if (result === undefined) return 'not measured yet';
  if (result.kind === 'missing') return `**not measured**: ${result.reason}`;
  const verdict = result.goals.every(isReached) ? 'yes' : '**no**';
  return `${verdict}: ${result.goals.map(describeGoal).join('; ')}`;
}

export function describeGoal(goal: Goal): string {
  const value = `${formatNumber(goal.value)}${goal.unit === '' || goal.unit === '/s' ? goal.unit : ` ${goal.unit}`}`;
  const text = `${goal.what} ${value}`;
  return isReached(goal) ? text : `**${text}**`;
}

function renderGrowth(result: StoredResult | undefined): string {
  if (result?.kind !== 'measured' || result.series === undefined) return '';
  return ['## Growth', '![Growth](growth.svg)', ...result.series.map(renderSeries)].join('\n\n');
}

function renderSeries({ title, sizes, unit, points }: Series): string {
  return [
    [sizes, ...points.map(({ size }) => formatSize(size))],
    ['---', ...points.map(() => '---')],
    [`${title} (${unit})`, ...points.map(({ value }) => formatNumber(value))],
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function renderMethods(measures: readonly Measure[], results: Results['measures']): string {
  const lines = measures.map(({ name, title, method }) => {
    const result = results[name];
    const remarks = result?.kind === 'measured' ? (result.remarks ?? []) : [];
    const seen = remarks.length === 0 ? '' : ` Seen: ${remarks.join('; ')}.`;
    return `- \`${name}\` — ${title}. ${method}${seen}`;
  });
  return ['## How', lines.join('\n')].join('\n\n');
}

/** Three figures are as many as mean anything. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return 'unknown';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

export function formatSize(size: number): string {
  return size.toLocaleString('en');
}
