/** `npm run bench [-- <measure>…]`: measures what Berth promises, and writes bench/BENCHMARKS.md and bench/growth.svg. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { measureAgainst, renderAgainst } from './against.js';
import { burst, burstOne } from './burst.js';
import { bystander } from './bystander.js';
import { renderChart } from './chart.js';
import { findEngine } from './engine.js';
import { growth } from './growth.js';
import { idle } from './idle.js';
import type { Measure } from './measure.js';
import { NotMeasurable } from './not-measurable.js';
import { crashStart, killed, largeStart } from './recovery.js';
import { describeGoal, formatNumber, renderReport } from './report.js';
import { describeMachine, loadResults, type Results, type StoredResult } from './results.js';
import { cold, filled, warm, prewarmedSession } from './warm.js';
import { Workbench } from './workbench.js';

const measures: readonly Measure[] = [
  warm,
  filled,
  cold,
  prewarmedSession,
  burst,
  burstOne,
  killed,
  crashStart,
  idle,
  largeStart,
  growth,
  bystander,
];

const sameKeystrokeMs = 500;

async function main(names: readonly string[]): Promise<void> {
  const [first, checkout] = names;
  if (first === 'against') {
    await compare(checkout);
    return;
  }
  const unknown = names.filter((name) => !measures.some((measure) => measure.name === name));
  if (unknown.length > 0) {
    const known = measures.map(({ name }) => name).join(', ');
    throw new Error(`There is no measure ${unknown.join(', ')}. The measures are: ${known}.`);
  }
  const chosen = measures.filter(({ name }) => names.length === 0 || names.includes(name));
  await using bench = new Workbench(await findEngine());
  const machine = describeMachine(bench.engine);
  endOrderly(bench);
  console.log(`${machine.cpu}, ${machine.cores} cores; ${machine.engine}; Node ${machine.node}`);
  let results = loadResults(pathOf('results.json'), machine);
  for (const measure of chosen) {
    const beganAt = performance.now();
    const result = await run(measure, bench);
    if (bench.signal.aborted) return;
    results = { machine, measures: { ...results.measures, [measure.name]: result } };
    await publish(results);
    say(measure, result, performance.now() - beganAt);
  }
}

/** Prints only: the figures of two builds are no promise that BENCHMARKS.md could hold. */
async function compare(checkout: string | undefined): Promise<void> {
  if (checkout === undefined) throw new Error('Name a folder: npm run bench -- against <checkout>');
  await using bench = new Workbench(await findEngine());
  endOrderly(bench);
  const { cpu, cores, engine, node } = describeMachine(bench.engine);
  console.log(`${cpu}, ${cores} cores; ${engine}; Node ${node}`);
  console.log(renderAgainst(await measureAgainst(bench, checkout)));
}

async function run(measure: Measure, bench: Workbench): Promise<StoredResult> {
  const measuredOn = new Date().toISOString().slice(0, 10);
  try {
    return { kind: 'measured', measuredOn, ...(await measure.run(bench)) };
  } catch (error) {
    if (!(error instanceof NotMeasurable) && !bench.signal.aborted) console.error(error);
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { kind: 'missing', measuredOn, reason: reason.slice(0, 200) };
  }
}

async function publish(results: Results): Promise<void> {
  await write('results.json', JSON.stringify(results));
  await write('BENCHMARKS.md', renderReport(measures, results));
  const grown = results.measures['growth'];
  if (grown?.kind === 'measured' && grown.series !== undefined) {
    writeFileSync(pathOf('growth.svg'), renderChart(grown.series));
  }
}

/** Formatted as everything here is. */
async function write(name: string, text: string): Promise<void> {
  const filepath = pathOf(name);
  const options = await resolveConfig(filepath);
  writeFileSync(filepath, await format(text, { ...options, filepath }));
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function say({ name }: Measure, result: StoredResult, tookMs: number): void {
  const took = `(${Math.round(tookMs / 1_000)} s)`;
  if (result.kind === 'missing') {
    console.log(`${name.padEnd(14)} not measured: ${result.reason} ${took}`);
    return;
  }
  const { spread, goals, remarks = [], series = [] } = result;
  const figures =
    spread === undefined
      ? ''
      : `median ${formatNumber(spread.median)}, p95 ${formatNumber(spread.p95)}, p99 ${formatNumber(spread.p99)} ms, n ${spread.count}; `;
  console.log(`${name.padEnd(14)} ${figures}${goals.map(describeGoal).join('; ')} ${took}`);
  for (const remark of remarks) console.log(`${''.padEnd(15)}${remark}`);
  for (const { title, sizes, points } of series) {
    const values = points.map(({ size, value }) => `${size}: ${formatNumber(value)}`).join(', ');
    console.log(`${''.padEnd(15)}${title} by ${sizes}: ${values}`);
  }
}

/** Ctrl-C: what was started is ended first. A second one, which is not npm passing on the first, does not wait. */
function endOrderly(bench: Workbench): void {
  let askedAt: number | undefined;
  const end = (): void => {
    if (askedAt !== undefined) {
      if (performance.now() - askedAt > sameKeystrokeMs) process.exit(130);
      return;
    }
    askedAt = performance.now();
    console.error('Ending what was started …');
    void bench[Symbol.asyncDispose]().finally(() => process.exit(130));
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
}

await main(process.argv.slice(2));
