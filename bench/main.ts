/** `npm run bench`: the numbers that Berth promises, measured through the command and the socket. */
import { testEngine } from '../test/fakes/docker-runtimes.js';
import { measureCold, measureIdle, measureWarm, type BenchEngine } from './measures.js';
import { summarize } from './statistics.js';

const localBase = 'berth-base:local';

async function findEngine(): Promise<BenchEngine> {
  const engine = testEngine();
  try {
    const hasLocalBase = (await engine.findImage(localBase)) !== undefined;
    const baseImage = process.env['BERTH_BASE_IMAGE'] ?? (hasLocalBase ? localBase : undefined);
    return {
      runtime: 'docker',
      env: baseImage === undefined ? {} : { BERTH_BASE_IMAGE: baseImage },
    };
  } catch {
    console.log('No container engine answers: the figures are of the process runtime.');
    return { runtime: 'process', env: {} };
  } finally {
    engine.close();
  }
}

function row(name: string, values: readonly number[], promise: string): void {
  const { median, p95, p99, count } = summarize(values);
  const figures = [median, p95, p99].map((value) => `${value.toFixed(1)} ms`.padStart(11)).join('');
  console.log(`${name.padEnd(28)}${figures}${String(count).padStart(7)}   ${promise}`);
}

const engine = await findEngine();
console.log(`Node ${process.version}, ${engine.runtime} runtime, echo provider`);
console.log(`${''.padEnd(28)}     median        p95        p99      n   promised`);
row('warm message to reply', await measureWarm(engine, 300), 'median under 25 ms');
row('cold (no container) to reply', await measureCold(engine, 15), 'median under 700 ms');
const idle = await measureIdle(engine, 30);
console.log(
  `idle daemon                 ${idle.cpuPercent.toFixed(2)} % of a core, ${idle.memoryMb.toFixed(0)} MiB   promised under 0.5 %, 120 MB`,
);
